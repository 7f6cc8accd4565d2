"""Spans by OpenTelemetry's conventions for generative AI, where its API is installed; without an SDK they go nowhere.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from shammah import __version__
from shammah.privacy import Redactor
from shammah.serve.spoken import Whole
from shammah.serve.wanted import Wanted

if TYPE_CHECKING:
    from opentelemetry.trace import Span

try:
    from opentelemetry import propagate, trace
    from opentelemetry.trace import SpanKind, StatusCode
except ImportError:
    _IS_THERE = False
else:
    _IS_THERE = True

Values = Mapping[str, Any]


class Marks(Protocol):
    """Where it is written down what came of a request."""

    def mark(self, values: Values) -> None:
        """Add attributes; those that are None are left out."""
        ...


class _Nowhere:
    def mark(self, values: Values) -> None:
        """Forget them."""


class _Marks:
    def __init__(self, span: "Span") -> None:
        self._span = span

    def mark(self, values: Values) -> None:
        """Put them on the span."""
        self._span.set_attributes({name: value for name, value in values.items() if value is not None})


@contextlib.contextmanager
def span(operation: str, model: str, headers: Mapping[str, str], values: Values) -> Iterator[Marks]:
    """A span around a request, under that of the client where its headers name one; what is raised marks it failed."""
    if not _IS_THERE:
        yield _Nowhere()
        return
    tracer = trace.get_tracer("shammah", __version__)
    context = propagate.extract(dict(headers))
    with tracer.start_as_current_span(
        f"{operation} {model}", context, SpanKind.SERVER, record_exception=False
    ) as opened:
        marks = _Marks(opened)
        marks.mark({"gen_ai.operation.name": operation, "gen_ai.provider.name": "shammah", **values})
        marks.mark({"gen_ai.request.model": model})
        try:
            yield marks
        except Exception as error:
            marks.mark({"error.type": type(error).__name__})
            opened.set_status(StatusCode.ERROR, str(error))
            raise


def asked(wanted: Wanted) -> Values:
    """What a request says of itself, without a word of its text."""
    sampling = wanted.sampling
    return {
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.request.stop_sequences": [Redactor().redact(text) for text in sampling.stop] or None,
        "gen_ai.output.type": "json" if sampling.schema is not None else "text",
    }


def answered(whole: Whole) -> Values:
    """What an answer says of itself, without a word of its text."""
    adapters = [str(one["name"]) for one in whole.told["adapters"]]
    return {
        "gen_ai.response.id": whole.head.id,
        "gen_ai.response.model": whole.told["model"],
        "gen_ai.response.finish_reasons": [str(whole.finish)],
        "gen_ai.usage.input_tokens": whole.prompt_tokens,
        "gen_ai.usage.output_tokens": whole.completion_tokens,
        "shammah.route": whole.told["route"],
        "shammah.reason": whole.told["reason"],
        "shammah.adapters": adapters or None,
    }
