"""Every parser, and what it is fed: whatever comes, it reads it or refuses it by an error of its own."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from shammah import adapters, config, model_names, naming, settings_file, times
from shammah.amounts import Memory
from shammah.child import new_lines
from shammah.cli.typed import clean
from shammah.errors import ConfigError, ModelMissing, UsageError
from shammah.journal import Journal
from shammah.teaching import doors, schema
from shammah.tool_text import read_said
from shammah_convert import examples
from shammah_convert.chat import Message
from shammah_convert.job import JOB, REPORT, BadJob, Change, Job, Report, Score
from tests.faults.mutated import inputs
from tests.faults.promise import Promise, Trials
from tests.faults.ways_in import ways_in

MOST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Parser:
    """One way in.

    Attributes:
        valid: Inputs that it takes.
        refuses: The errors by which it says no.
    """

    name: str
    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    valid: tuple[bytes, ...]


def check(trials: Trials) -> str:
    """Feed all parsers alike."""
    with _parsers(trials.folder) as parsers:
        each = -(-trials.count // len(parsers))
        slowest = max((_feed(parser, each, trials.seed), parser.name) for parser in parsers)
    return f"{len(parsers)} parsers, {slowest[0]:.2f} s of one processor at most ({slowest[1]})"


def _feed(parser: Parser, count: int, chosen: int) -> float:
    """So many inputs for one parser; the longest that it took."""
    slowest = 0.0

    @seed(chosen)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(parser.valid))
    def feed(data: bytes) -> None:
        nonlocal slowest
        started = time.thread_time()
        try:
            parser.read(data)
        except parser.refuses as error:
            str(error).encode("utf-8", "replace")
        except Exception as error:
            raise AssertionError(f"{parser.name} was fed {data[:2000]!r}") from error
        seconds = time.thread_time() - started
        slowest = max(slowest, seconds)
        assert seconds < MOST_SECONDS, f"{parser.name} took {seconds:.1f} s for {data[:2000]!r}"

    feed()
    return slowest


@contextmanager
def _parsers(folder: Path) -> Iterator[list[Parser]]:
    with ExitStack() as held:
        journal = held.enter_context(Journal(folder / "journal"))
        http = held.enter_context(ways_in(folder / "served"))
        yield [
            *_of_settings(folder),
            *_of_files(folder),
            *(Parser(one.name, one.send, (), one.valid) for one in http),
            Parser("calls of tools", _read_call, (UsageError,), _CALLS),
            Parser("names", lambda data: _read_names(journal, data), (), _NAMES),
            Parser("what a model says", _read_said, (), _SAID),
        ]


def _of_settings(folder: Path) -> Iterator[Parser]:
    home = folder / "home"
    home.mkdir()
    file, environ = home / "config.toml", {"SHAMMAH_HOME": str(home)}

    def read_file(data: bytes) -> None:
        file.write_bytes(data)
        config.load(environ)

    def change_file(data: bytes) -> None:
        settings_file.check(home, data.decode("utf-8", "replace"))
        file.write_bytes(data)
        settings_file.set_value(home, "answer.max_tokens", "7")

    def read_environment(data: bytes) -> None:
        name, _, value = data.replace(b"\0", b"").decode("utf-8", "surrogateescape").partition("=")
        config.load({"SHAMMAH_HOME": str(folder / "none"), f"SHAMMAH_{name.upper()}": value})

    yield Parser("config.toml", read_file, (ConfigError,), _TOML)
    yield Parser("config.toml, changed", change_file, (ConfigError,), _TOML)
    yield Parser("the environment", read_environment, (ConfigError,), _VARIABLES)


def _of_files(folder: Path) -> Iterator[Parser]:
    job, report, progress = folder / JOB, folder / REPORT, folder / "progress.jsonl"

    def read_job(data: bytes) -> None:
        job.write_bytes(data)
        Job.read(folder)

    def read_report(data: bytes) -> None:
        report.write_bytes(data)
        Report.read(folder)

    def read_progress(data: bytes) -> None:
        progress.write_bytes(data)
        with progress.open(encoding="utf-8", errors="replace") as stream:
            for line in new_lines(stream):
                line.get("event")

    def read_examples(data: bytes) -> None:
        list(examples.read(data.decode("utf-8", "replace")))

    yield Parser("job.json", read_job, (BadJob,), (json.dumps(asdict(_JOB)).encode(),))
    yield Parser("report.json", read_report, (BadJob,), (json.dumps(asdict(_REPORT)).encode(),))
    yield Parser("progress.jsonl", read_progress, (), (b'{"event": "step", "step": 1, "loss": 0.5}\n',))
    yield Parser("examples.jsonl", read_examples, (examples.BadExample,), (examples.to_json(_EXAMPLE).encode(),))


def _read_call(data: bytes) -> None:
    """What a client of MCP sends: a tool's name, and its arguments."""
    try:
        sent = json.loads(data)
    except (ValueError, RecursionError):
        return  # the protocol's own library says so
    given: Any = sent if isinstance(sent, dict) else {"name": str(sent), "arguments": {}}
    arguments = given.get("arguments")
    for tool in doors.TOOLS:
        if tool.name == given.get("name"):
            schema.read(tool.request, arguments if isinstance(arguments, dict) else {})
            return
    schema.nearest(str(given.get("name")), doors.NAMES)


def _read_names(journal: Journal, data: bytes) -> None:
    """What may be typed where a name, an id, an amount or a time is meant."""
    text = clean(data.decode("utf-8", "surrogateescape"))
    assert naming.plain(naming.plain(text)) == naming.plain(text), f"{text!r}: no name is plain"
    readers: tuple[Callable[[str], object], ...] = (
        model_names.wanted,
        model_names.resolve,
        Memory.read,
        lambda one: adapters.parse_set(journal, [one]),
        lambda one: times.span(one, datetime(2026, 11, 20, tzinfo=UTC)),
    )
    for read in readers:
        try:
            read(text)
        except (UsageError, ModelMissing):
            continue
        except (ValueError, OverflowError):  # whoever reads these says so of an option
            if read in readers[:2]:
                raise
    assert model_names.is_name(text) in (True, False)
    assert journal.question(text) is None
    assert journal.examples.find(text) is None


def _read_said(data: bytes) -> None:
    read_said(data.decode("utf-8", "replace"), frozenset({"write"}))


_MESSAGE = (Message("user", "hello"),)
_EXAMPLE = examples.Example("a", _MESSAGE, (Message("assistant", "x"),), None, 1.0, "user", "2026-11-20T12:00:00Z")
_JOB = Job("a", 1, "/base.gguf", "f" * 64, "base", "e" * 64, 2)
_REPORT = Report(Change(Score(1), Score(1)), Change(), 1, 2, 3.0, "learnt", (), losses=(0.5,))
_TOML = (
    b'offline = true\n[teacher]\nmodel = "claude"\nmax_usd_per_day = 1.5\n[privacy]\nnever_forward = ["a", "b"]\n',
    b'[trainer]\nmax_memory = "3GB"\npython = "/x"\n[answer]\nsystem = """\nBe brief.\n"""\ntemperature = 0\n',
    b"[sampling]\n# none\n[quality]\nmax_bad_rate = 'strict'\n",
)
_VARIABLES = (
    b"OFFLINE=1", b"TEACHER_MAX_USD_PER_DAY=0.5", b"TRAINER_MAX_MEMORY=2500 MB",
    b'PRIVACY_NEVER_FORWARD=["a+b", "[x]"]', b"PRIVACY_NEVER_FORWARD=acme\nproject (x|y)",
    b"QUALITY_MAX_BAD_RATE=relaxed", b"SERVE_PORT=8080",
)  # fmt: skip
_CALLS = (
    b'{"name": "query_local_model", "arguments": {"question": "ls?", "max_tokens": 5, "asks_twice": false}}',
    b'{"name": "compare_responses", "arguments": {"question": "ls?", "reference": null}}',
    b'{"name": "generate_training_data", "arguments": {"category": "code", "count": 2, "pairs":'
    b' [{"question": "a", "answer": "b"}]}}',
    b'{"name": "analyze_model", "arguments": {"categories": ["code"], "most": 3}}',
    b'{"name": "train", "arguments": {"wait": true}}',
)
_NAMES = (
    b"corrections-v1", b"corrections-v1:0.5", b"hf:Qwen/Qwen2.5-3B-Instruct-GGUF:Q4_K_M", b"qwen2.5-3b", b"ollama:a:b",
    b"2026-11-20 14:00", b"7d", b"yesterday", b"2.5GiB", b"../../etc/passwd", "\uff41dapter".encode(),
)  # fmt: skip
_SAID = (
    b'Well.\n<tool_call>\n{"name": "write", "arguments": {"text": "a"}}\n</tool_call>',
    b'<tool_call>{"name": "write"}</tool_call><tool_call>\n',
)

PARSERS = Promise(
    name="parsers",
    part="Input",
    claim="Whatever a configuration, a JSON line, a job's file, an HTTP body, a tool's call or a name holds, it is read"
    " or refused by an error of ours, within 5 s.",
    unit="inputs",
    full=100_000,
    check=check,
)
