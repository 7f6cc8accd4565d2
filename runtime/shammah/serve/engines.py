"""How the daemon opens its engine."""

from shammah import embedding
from shammah.compatible import opening
from shammah.config import Settings
from shammah.records import Base
from shammah.serve.place import LOG
from shammah.serve.remote import Engine
from shammah.serve.wire import Setup

LEAST_TOKENS = 16384
"""Of the context that all answers together share, two full ones by default."""


def open_engine(settings: Settings, base: Base) -> Engine:
    """The model and the embedder of a daemon, in a process of their own; of a model that a server runs, the latter.

    Raises:
        ShammahError: The model cannot be opened.
    """
    layers, embedder = settings.model.gpu_layers, embedding.ready(settings.home)
    setup = Setup(
        path="" if opening.server_of(base, settings) else base.path,
        threads=settings.model.threads,
        gpu_layers=None if layers == "auto" else layers,
        most_tokens=max(LEAST_TOKENS, settings.model.context_tokens),
        embedder="" if embedder is None else str(embedder),
    )
    engine = Engine(setup, settings.home / LOG)
    engine.start()
    return engine
