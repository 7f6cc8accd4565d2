"""The ground on which lives are killed: a home that was used for a while, which is put back as it was before each."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.numpy import save_file

from shammah import database
from shammah.adapters import active_files, hash_of
from shammah.bases import SEEDLING
from shammah.checkpoints import Keeper
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.quarantine import Origin, Pair
from shammah.records.bases import Base
from shammah_convert import failpoints
from shammah_convert.base import CHAT_TEMPLATE
from shammah_convert.opened import OpenBase
from tests.anthropic_server import AnthropicServer
from tests.faults import standin
from tests.faults.lives import Life, Moment, live
from tests.known import record_seedling
from tests.qwens import Kind, tokenizer_json
from tests.whole.command import Home
from tests.whole.corrected import shorten_general

DOOMED = "xylophone"
"""A word of the question that is erased, which stands in no other."""

OLD_SCHEMA, OLD_QUESTIONS = 2, 40
KEPT_CHECKPOINTS = 5
KEY = "sk-ant-" + "test" * 6
OUTSIDE = "how do I start the harmonium"
UNRATED = "how do i copy a folder"


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is in the home, before anything is tried.

    Attributes:
        doomed: The question that is erased, by its id.
        unrated: A question whose answer nobody has rated.
        example: Of another question, which is edited.
        waiting: Of outside, which is accepted.
        checkpoint: By its number; its adapters are those that a rollback goes back to.
    """

    base: Base
    doomed: str
    unrated: str
    example: str
    waiting: str
    checkpoint: int
    training: int


class Ground:
    """A home beside what it is made from."""

    def __init__(self, folder: Path, teacher: AnthropicServer) -> None:
        """Make a home in an empty folder, by the commands that its user gives."""
        self.folder, self.outside, self._teacher = folder, folder / "outside", teacher
        self._earlier_calls = 0
        self.home = Home(folder / "home", _variables(folder))
        self._fresh, self._old = folder / "fresh", folder / "old.db"
        self.facts = self._make()
        shutil.copytree(self.home.path, self._fresh)
        _write_old(self._old, self.facts.base)

    def live(
        self, *commands: Sequence[str], moment: Moment | None = None, place: str = "", is_online: bool = False
    ) -> Life:
        """Run commands to their end, or until they are killed: at a moment, or at a place that the code names."""
        variables = {failpoints.VARIABLE: place}
        if is_online:
            variables |= {"SHAMMAH_OFFLINE": "0", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": self._teacher.url}
        return live(commands, self.home.environment() | variables, self.outside, moment)

    def put_back(self, is_old: bool = False) -> None:
        """Have the home as it was made, or with the journal of an older version."""
        for folder in (self.home.path, self.outside):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._fresh, self.home.path)
        self.outside.mkdir()
        self._earlier_calls = len(self._teacher.requests)
        if is_old:
            shutil.copyfile(self._old, self.home.path / "shammah.db")

    @property
    def calls(self) -> int:
        """So often Claude was asked since the home was put back."""
        return len(self._teacher.requests) - self._earlier_calls

    @property
    def model_folder(self) -> Path:
        """A model to convert, as Hugging Face keeps it."""
        return self.folder / "model"

    @property
    def foreign_adapter(self) -> Path:
        """An adapter to take in."""
        return self.folder / "trained" / "foreign.gguf"

    def active(self) -> tuple[str, ...]:
        """Names of what is active."""
        with self.home.journal() as journal:
            return tuple(file.name for file in active_files(journal, self.facts.base.sha256))

    def _make(self) -> Facts:
        self.home.path.mkdir()
        self.outside.mkdir()
        with self.home.journal() as journal:
            base = record_seedling(journal)
        shorten_general(self.home)
        standin.write(self.folder / "trained", base, OpenBase(SEEDLING).config)
        _write_model(self.model_folder)
        self._correct(f"how do i tune a {DOOMED}", f"{DOOMED} --tune")
        self._do("train")
        self._correct("how do i list hidden files", "ls -A")
        self._do("train")
        self._do("ask", UNRATED)
        self._do("models", "convert", str(self.model_folder), str(self.folder / "converted.gguf"), "--type", "F16")
        with self.home.journal() as journal:
            return self._finish(journal, base)

    def _correct(self, question: str, answer: str) -> None:
        self._do("ask", question)
        self._do("feedback", "critical", f"not what {question} wants", "--answer", answer)

    def _do(self, *arguments: str) -> None:
        life = self.live(arguments)
        assert life.code == 0, life.said

    def _finish(self, journal: Journal, base: Base) -> Facts:
        """Add what no command makes at once, and see what there is."""
        keeper = Keeper(self.home.path, journal, Heads(self.home.path, journal, base.sha256, "bayes"), base.sha256)
        while len(journal.checkpoints.all()) < KEPT_CHECKPOINTS:
            keeper.make("by a test")
        (waiting,) = journal.quarantine.receive([Pair(OUTSIDE, "harmonium start")], Origin("mcp", "a test", "b", "x"))
        unrated, edited, doomed = journal.recent(3)
        (self.home.path / "history.jsonl").write_text(json.dumps(doomed.text) + "\n")
        (self.home.path / "history.jsonl.partial").write_text(json.dumps(doomed.text) + "\n")  # of another death
        (self.home.path / "worker.log").write_text(f"question {doomed.id}: {DOOMED}\n")
        shown = journal.shown(edited)
        assert shown is not None
        example = journal.examples.of_answer(shown.id)
        assert example is not None
        assert DOOMED in doomed.text
        assert [file.name for file in active_files(journal, base.sha256)] == ["corrections-v2"]
        return Facts(base, doomed.id, unrated.id, example.example.id, waiting, checkpoint=2, training=3)


def _variables(folder: Path) -> dict[str, str]:
    return {
        "SHAMMAH_OFFLINE": "1",
        "SHAMMAH_WORKER_ENABLED": "0",
        "SHAMMAH_MODEL_THREADS": "1",  # two would spin for each other beside whatever else runs here
        "SHAMMAH_ANSWER_MAX_TOKENS": "12",
        "SHAMMAH_ADAPTERS_MIN_SIMILARITY": "0",  # what is active is heard, whatever is asked
        "SHAMMAH_TRAINER_PYTHON": str(folder / "trained" / "python"),
    }


def _write_old(file: Path, base: Base) -> None:
    """The journal of an older version, with questions, their answers, and examples of them."""
    with contextlib.closing(sqlite3.connect(file)) as old:
        for step in range(1, OLD_SCHEMA + 1):
            old.executescript((Path(database.__file__).with_name("schema") / f"{step}.sql").read_text("utf-8"))
        row = asdict(base) | {"probed": "2026"}
        del row["ctime_ns"]  # of a later step
        old.execute(f"INSERT INTO bases ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        for number in range(1, OLD_QUESTIONS + 1):
            old.execute(
                "INSERT INTO questions (number, id, created, session, lineage, text, context, may_go_online)"
                " VALUES (?, ?, '2026-01-01T00:00:00Z', 's', ?, 'Why?', '[]', 1)",
                (number, f"q{number}", base.sha256),
            )
            old.execute(
                "INSERT INTO answers (id, question, created, side, is_shown, text, reason, finish, model, adapters,"
                " is_verified, prompt_tokens, completion_tokens, seconds) VALUES (?, ?, '2026-01-01T00:00:00Z',"
                " 'local', 1, 'So.', 'forced', 'stop', 'm', '[]', 0, 1, 1, '{}')",
                (number, number),
            )
            old.execute(
                "INSERT INTO examples (id, answer, prompt, completion, weight, source, state, created)"
                " VALUES (?, ?, '[]', '[]', 10, 'user', 'live', '2026-01-01T00:00:00Z')",
                (f"e{number}", number),
            )
        old.execute(f"PRAGMA user_version = {OLD_SCHEMA}")
        old.commit()


def _write_model(folder: Path) -> None:
    """A random Qwen, as Hugging Face keeps it."""
    kind = Kind()
    folder.mkdir()
    shape = kind.config
    config = {
        "model_type": shape.architecture,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.context_tokens,
        "rope_theta": shape.rope_theta,
        "rms_norm_eps": shape.rms_epsilon,
        "tie_word_embeddings": shape.is_tied,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(tokenizer_json())
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    save_file(kind.weights(), folder / "model.safetensors")


def hash_of_all(folder: Path) -> dict[str, str]:
    """sha256 of every file of a folder."""
    return {str(file.relative_to(folder)): hash_of(file) for file in sorted(folder.rglob("*")) if file.is_file()}
