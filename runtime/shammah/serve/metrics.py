"""What a daemon has done, as Prometheus reads it."""

from collections.abc import Iterable, Iterator, Mapping

from shammah import __version__
from shammah.serve.house import House


def text(house: House) -> str:
    """Every metric, in the text format 0.0.4."""
    return "\n".join(_lines(house)) + "\n"


def _lines(house: House) -> Iterator[str]:
    counters = house.counters
    yield from _metric("shammah_info", "gauge", "The version that runs.", [({"version": __version__}, 1)])
    yield from _metric("shammah_ready", "gauge", "Whether the model is open.", [({}, int(house.state == "ready"))])
    yield from _metric("shammah_start_time_seconds", "gauge", "When it began.", [({}, counters.since)])
    yield from _metric("shammah_in_flight", "gauge", "Questions that are answered now.", [({}, house.in_flight)])
    answers = [({"side": side, "finish": finish}, n) for (side, finish), n in sorted(counters.answers.items())]
    yield from _metric("shammah_answers_total", "counter", "Answers given, by side and how they ended.", answers)
    requests = [({"path": path, "status": str(code)}, n) for (path, code), n in sorted(counters.requests.items())]
    yield from _metric("shammah_requests_total", "counter", "Requests at the port, by path and status.", requests)


def _metric(name: str, kind: str, what: str, values: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:.16g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
