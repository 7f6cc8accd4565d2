"""A home in which every documented command has something to do, and what stands for each placeholder there."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import save_file

from shammah import bases, features
from shammah.adapters import hash_of
from shammah.checkpoints import Keeper
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message
from shammah_convert.opened import OpenBase
from shammah_convert.peft import write_peft
from tests.fake_trainer import FakeTrainer
from tests.hub_server import Hub
from tests.known import record_seedling
from tests.qwens import Kind, tokenizer_json
from tests.tiny import write_tiny
from tests.whole.command import Home
from tests.whole.corrected import shorten_general
from tests.whole.test_adapters import write
from tests.whole.test_exchange import random_adapter

PULLED = "qwen2.5-0.5b"
HUB_FILE = ("Qwen/Qwen2.5-0.5B-Instruct-GGUF", "qwen2.5-0.5b-instruct-q4_k_m.gguf")
CORRECTED = ("how do i start our staging server", "how do i stop our staging server", "where is our staging server")
ATTEMPTS, PAUSE_SECONDS = 20, 0.1
SESSION = f"none:{os.getsid(0)}"
"""That of commands without a terminal, which the tests run."""


@dataclass(frozen=True)
class House:
    """A home with a life behind it, a folder to stand in, and a copy of both as they were.

    Attributes:
        places: What stands for a placeholder, by the group of commands that it is of.
    """

    home: Home
    folder: Path
    kept: Path
    places: Mapping[str, Mapping[str, str]]

    def restore(self) -> None:
        """Make home and folder what they were."""
        for path in (self.home.path, self.folder):
            for patience in reversed(range(ATTEMPTS)):
                try:
                    shutil.rmtree(path)
                    break
                except OSError:  # what a command left behind it ends, and writes a last time
                    if not patience:
                        raise
                    time.sleep(PAUSE_SECONDS)
            shutil.copytree(self.kept / path.name, path, symlinks=True)

    def filled(self, words: Sequence[str]) -> list[str]:
        """A command with something real in each place."""
        places = self.places.get(words[0], {}) if words else {}
        return [places.get(word, word) for word in words]


@contextmanager
def house(path: Path) -> Iterator[House]:
    """Make everything, once for all commands."""
    folder = path / "folder"
    folder.mkdir(parents=True)
    tiny = write_tiny(path / "tiny.gguf").read_bytes()
    with Hub({HUB_FILE: tiny}) as hub:
        hub.cards = {HUB_FILE[0]: {"license": "apache-2.0"}}
        home = Home(path / "home", _variables(path, hub))
        _live(home)
        _fill(folder)
        with home.journal() as journal:
            question, example = journal.recent(1)[0].id, journal.examples.all()[0].example.id
        shutil.copyfile(home.path / "shammah.db", folder / "shammah.copy")
        for kept in (home.path, folder):
            shutil.copytree(kept, path / "kept" / kept.name, symlinks=True)
        yield House(home, folder, path / "kept", _places(question, example))


def _variables(path: Path, hub: Hub) -> dict[str, str]:
    online = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.address, "NO_PROXY": "127.0.0.1"}
    quiet = {"SHAMMAH_WORKER_ENABLED": "0", "SHAMMAH_TRAINER_PYTHON": FakeTrainer().write(path), "EDITOR": "true"}
    return online | quiet | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}


def _live(home: Home) -> None:
    """Questions, corrections, a model that was pulled, two trainings, adapters from files, a domain, checkpoints."""
    with home.journal() as journal:
        lineage = record_seedling(journal).sha256
        for text in CORRECTED:
            correct(journal, text)
    shorten_general(home)
    _must(home, "ask", "list hidden files")
    _must(home, "feedback", "good")
    _must(home, "train")
    for name in ("rust", "style"):
        _must(home, "adapters", "load", str(write(home.path.with_name(f"{name}.gguf"), hash_of(bases.SEEDLING))))
    _must(home, "adapters", "domain", "corrections-v1")
    _must(home, "models", "pull", PULLED)
    _must(home, "models", "use", "seedling")
    with home.journal() as journal:
        keeper = Keeper(home.path, journal, Heads(home.path, journal, lineage, "bayes"), lineage)
        while keeper.make("by a test").number < 3:
            pass
    _cut_off(home)


def correct(journal: Journal, text: str) -> None:
    """A question that was answered badly, and corrected."""
    lineage = record_seedling(journal).sha256
    question = journal.begin(SESSION, lineage, [Message("user", text)], 0, False)
    question = journal.note_route(question, features.of_question(text), None, 0.5)
    answer = NewAnswer(Side.LOCAL, True, "I cannot know.", Reason.OFFLINE, "stop", "seedling", (), False, 9, 4, {})
    journal.save(question, [answer])
    rate(journal, question, Feedback(Rating.CRITICAL, target="make staging"), has_teacher=False)


def _cut_off(home: Home) -> None:
    """A training that failed after its first checkpoint."""
    script = Path(home.variables["SHAMMAH_TRAINER_PYTHON"])
    works = script.read_text()
    FakeTrainer(error="the disk is full").write(script.parent)
    assert home.run("train").returncode == 1
    (home.path / "jobs" / "2" / "checkpoint-00000008.safetensors").write_bytes(b"for the trainer, which is none")
    script.write_text(works)


def _must(home: Home, *arguments: str) -> None:
    done = home.run(*arguments)
    assert done.returncode == 0, (arguments, done.stderr)


def _fill(folder: Path) -> None:
    """The files that commands read."""
    config = OpenBase(bases.SEEDLING).config
    (folder / "questions.txt").write_text("list hidden files\n")
    write(folder / "mine.gguf", hash_of(bases.SEEDLING), seed=5)
    write_peft(folder / "peft", random_adapter("theirs"), config)
    _hugging_face(folder / "hf")


def _hugging_face(folder: Path) -> None:
    """A random Qwen2 as Hugging Face keeps it."""
    folder.mkdir()
    (folder / "tokenizer.json").write_text(tokenizer_json())
    shape = Kind().config
    settings = {
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
    (folder / "config.json").write_text(json.dumps(settings))
    save_file(Kind().weights(), folder / "model.safetensors")


def _places(question: str, example: str) -> dict[str, dict[str, str]]:
    adapters = {"NAME": "corrections-v1", "OLD": "style", "NEW": "tone", "FILE": "mine.gguf", "PATH": "peft"}
    return {
        "adapters": adapters | {"FILE.gguf": "out.gguf"},
        "examples": {"ID": example},
        "log": {"ID": question, "COPY": "shammah.copy"},
        "models": {"NAME": PULLED, "HF_FOLDER": "hf"},
        "stats": {"FILE": "stats.html", "Qwen2.5 1.5B": "Shammah seedling"},
    }
