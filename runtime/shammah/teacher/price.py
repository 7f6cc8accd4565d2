"""What the teacher costs: by the settings, else by the catalog; what runs on this machine costs nobody anything."""

import os
from collections.abc import Mapping

from shammah import catalog
from shammah.catalog import Price
from shammah.proxies import is_here
from shammah.settings import TeacherSettings
from shammah.teacher.access import url_of

FREE = Price(0.0, 0.0)


def price_of(settings: TeacherSettings, environ: Mapping[str, str] = os.environ) -> Price | None:
    """The price that holds; None where nobody knows one, and the dearest known is reckoned with."""
    if settings.prompt_usd and settings.completion_usd:
        return Price(settings.prompt_usd, settings.completion_usd)
    if settings.prompt_usd or settings.completion_usd:
        return None  # half a price would let budgets be overrun
    if settings.provider == "openai" and is_here(url_of(settings, environ)):
        return FREE
    return catalog.price_of(settings.model)
