"""Spans, as OpenTelemetry's own SDK hears them."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shammah.errors import TeacherError
from shammah.generation import Finish, Sampling
from shammah.serve import spans
from shammah.serve.spoken import Head, Whole
from shammah.serve.wanted import Wanted, Way
from shammah_convert.chat import Message

WANTED = Wanted("shammah", Way(), (Message("user", "a secret"),), Sampling(7, 0.5, seed=3, stop=("END",)))
TOLD: dict[str, Any] = {"model": "seedling", "route": "local", "reason": "offline", "adapters": [{"name": "mine"}]}
WHOLE = Whole(Head("ab12", "shammah"), "another secret", (), Finish.STOP, 12, 3, TOLD)
PARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@pytest.fixture(scope="session")
def memory() -> InMemorySpanExporter:
    """What the process's one provider exports; a second one would hear nothing."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def exporter(memory: InMemorySpanExporter) -> InMemorySpanExporter:
    memory.clear()
    return memory


def the_one(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, Any]]:
    (span,) = exporter.get_finished_spans()
    return span, dict(span.attributes or {})


def test_a_request_is_a_span_with_the_conventions_names(exporter: InMemorySpanExporter) -> None:
    with spans.span("chat", "shammah", {}, spans.asked(WANTED)) as marks:
        marks.mark(spans.answered(WHOLE))
    span, values = the_one(exporter)
    assert span.name == "chat shammah"
    assert values["gen_ai.operation.name"] == "chat"
    assert (values["gen_ai.request.model"], values["gen_ai.response.model"]) == ("shammah", "seedling")
    assert (values["gen_ai.usage.input_tokens"], values["gen_ai.usage.output_tokens"]) == (12, 3)
    assert (values["shammah.route"], values["shammah.adapters"]) == ("local", ("mine",))


def test_no_text_is_in_a_span(exporter: InMemorySpanExporter) -> None:
    with spans.span("chat", "shammah", {}, spans.asked(WANTED)) as marks:
        marks.mark(spans.answered(WHOLE))
    assert "secret" not in the_one(exporter)[0].to_json()


def test_a_secret_among_the_stop_texts_is_not_in_a_span(exporter: InMemorySpanExporter) -> None:
    token = "ghp_" + "a1B2c3" * 6
    wanted = Wanted("shammah", Way(), (), Sampling(stop=("END", token)))
    with spans.span("chat", "shammah", {}, spans.asked(wanted)):
        pass
    assert the_one(exporter)[1]["gen_ai.request.stop_sequences"] == ("END", "<SECRET_1>")


def test_it_lies_under_the_clients_own_span(exporter: InMemorySpanExporter) -> None:
    with spans.span("chat", "shammah", PARENT, {}):
        pass
    span, _ = the_one(exporter)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


def test_what_failed_says_how(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(TeacherError), spans.span("chat", "shammah", {}, {}):
        raise TeacherError("Claude cannot be reached")
    span, values = the_one(exporter)
    assert values["error.type"] == "TeacherError"
    assert not span.status.is_ok


def test_without_the_api_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_IS_THERE", False)
    with spans.span("chat", "shammah", {}, {}) as marks:
        marks.mark({"gen_ai.usage.input_tokens": 1})
