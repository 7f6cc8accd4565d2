"""Many processes at once over one home: eight command lines, a daemon, and a trainer."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shammah import bases
from shammah.adapters import hash_of
from shammah.journal import Journal
from tests.docs.prepared import correct
from tests.fake_trainer import FakeTrainer
from tests.faults import intact
from tests.faults.promise import Promise, Trials
from tests.whole import forked
from tests.whole.command import Home
from tests.whole.corrected import shorten_general
from tests.whole.test_adapters import write

ROOT = Path(__file__).parents[2]
DRIVERS, SECONDS = 8, 60
ALONE = {"SHAMMAH_SERVE_USE": "false"}
QUIET = {"SHAMMAH_WORKER_ENABLED": "false", "SHAMMAH_SERVE_PORT": "0"}
BUSY = ("another training is under way",)
"""What a command may say that finds something busy."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended.

    Attributes:
        driver: Who ran it; the trainer is the last one.
    """

    driver: int
    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def is_busy(self) -> bool:
        """Whether it only found something busy."""
        return self.code == 1 and any(words in self.err for words in BUSY)


def at_once(trials: Trials) -> str:
    """Let all of them work for so many seconds."""
    home = _made(trials.folder)
    started = home.run("serve", "--detach")
    assert started.returncode == 0, started.stderr
    try:
        found = _worked(home, trials)
    finally:
        home.run("serve", "stop")
    _check(home, found)
    verbs = Counter(done.words[0] for done in found if done.code == 0)
    counted = ", ".join(f"{count} {verb}" for verb, count in sorted(verbs.items()))
    return f"{counted}; {sum(done.is_busy for done in found)} found a training under way"


def _made(folder: Path) -> Home:
    """A home with an example for each driver, and two adapters."""
    home = Home.used(folder / "home", QUIET | {"SHAMMAH_TRAINER_PYTHON": FakeTrainer(pause=0.1).write(folder)})
    shorten_general(home)
    with home.journal() as journal:
        for number in range(DRIVERS):
            correct(journal, f"how is service {number} started")
    for seed, name in enumerate(("rust", "style")):
        file = write(folder / f"{name}.gguf", hash_of(bases.SEEDLING), seed)
        assert home.run("adapters", "load", str(file)).returncode == 0
    return home


def _worked(home: Home, trials: Trials) -> list[Done]:
    """What each driver did, in its order; they are forked from a process that has imported everything."""
    with home.journal() as journal:
        examples = [kept.example.id for kept in journal.examples.all()]
    facts = {"environment": home.environment(), "seconds": trials.count, "examples": examples}
    facts |= {"folder": str(trials.folder)}
    command = [sys.executable, "-m", "tests.faults.crowd"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(facts), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for file in sorted(trials.folder.glob("driver-*")) for line in file.open()]
    return [Done(**row | {"words": tuple(row["words"])}) for row in rows]


def _check(home: Home, found: Sequence[Done]) -> None:
    """What holds when all is over."""
    broken = [done for done in found if done.code != 0 and not done.is_busy]
    assert not broken, broken[:3]
    assert {done.driver for done in found if done.code == 0} == set(range(DRIVERS + 1)), "somebody did nothing"
    intact.check(home.path)
    with home.journal() as journal:
        _check_rows(journal, [done for done in found if done.code == 0])


def _check_rows(journal: Journal, acknowledged: Sequence[Done]) -> None:
    edited: dict[str, str] = {}
    notes = Counter(row["note"] for row in journal._db.execute("SELECT note FROM ratings"))
    trained = 0
    for done in acknowledged:
        match done.words:
            case ("ask", *_):
                _check_answer(journal, json.loads(done.out))
            case ("feedback", _, note, *_):
                assert notes[note] == 1, f"the rating {note!r} is there {notes[note]} times"
            case ("examples", "edit", example, _, answer):
                edited[example] = answer
            case ("train", *_):
                trained += 1
    for example, answer in edited.items():
        kept = journal.examples.find(example)
        assert kept is not None, example
        assert kept.example.completion[0].content == answer
    row = journal._db.execute("SELECT count(*) FROM trainings WHERE state = 'promoted'").fetchone()
    assert int(row[0]) >= trained


def _check_answer(journal: Journal, told: dict[str, Any]) -> None:
    question = journal.question(told["id"])
    assert question is not None, f"the answer {told['id']} is gone"
    shown = journal.shown(question)
    assert shown is not None
    assert shown.text == told["answer"]


def _commands(driver: int, examples: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What a driver does, over and over; each note and answer is its own."""
    for turn in range(100_000):
        mine = f"{driver}-{turn}"
        yield ("ask", "--offline", "--json", "--max-tokens", "8", f"list hidden files {mine}")
        yield ("feedback", "critical", f"note {mine}", "--answer", f"ls -A  # {mine}")
        yield ("examples", "edit", examples[driver], "--answer", f"make start-{mine}")
        yield ("adapters", "use", ("rust", "style", "none")[turn % 3])


def _trainings() -> Iterator[tuple[str, ...]]:
    while True:
        yield ("train", "--force")


def _drive(driver: int, facts: dict[str, Any]) -> None:
    """Run commands until the time is over, each in a process of its own."""
    os.setsid()  # the last answer of its session is its own
    commands = _trainings() if driver == DRIVERS else _commands(driver, facts["examples"])
    environment = facts["environment"] | (ALONE if driver % 2 else {})
    end = time.monotonic() + facts["seconds"]
    with (Path(facts["folder"]) / f"driver-{driver}").open("w") as log:
        while time.monotonic() < end:
            done = _run(driver, next(commands), environment, Path(facts["folder"]))
            log.write(json.dumps(asdict(done)) + "\n")
            log.flush()


def _run(driver: int, words: tuple[str, ...], environment: dict[str, str], folder: Path) -> Done:
    files = [folder / f"{name}-{driver}" for name in forked.FILES]
    for file in files:
        file.write_text("")
    request = forked.Request(words, environment, str(folder), tuple(map(str, files)))
    child = os.fork()
    if child == 0:
        forked.become(request)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Done(driver, words, code, files[1].read_text(), files[2].read_text())


def main() -> None:
    """Fork the drivers, and wait for all of them."""
    facts = json.load(sys.stdin)
    forked.prepare()
    context = multiprocessing.get_context("fork")
    drivers = [context.Process(target=_drive, args=(number, facts)) for number in range(DRIVERS + 1)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    sys.exit(any(driver.exitcode for driver in drivers))


PROMISES = (
    Promise(
        "crowd",
        "Many at once",
        "Eight command lines, a daemon and a trainer over one home end in no error but one that names what is busy,"
        " and every answer, rating, edit and adapter that was acknowledged is there.",
        "seconds",
        SECONDS,
        at_once,
        least=3,
    ),
)

if __name__ == "__main__":
    main()
