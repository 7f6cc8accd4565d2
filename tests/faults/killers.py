"""A model file that kills whoever opens it, in a home where commands and a daemon take turns."""

import random
from pathlib import Path

from shammah import config
from shammah.errors import EngineRefuses
from shammah.serve.engines import open_engine
from shammah.serve.place import LOG
from tests.faults.promise import Promise, Trials
from tests.known import record_tiny
from tests.tiny import write_killer
from tests.whole.command import Home

TURNS, MOST_DEATHS = 5, 2
ASSERTION = b"GGML_ASSERT"
REFUSED = "killed the process that opened it, twice"


def killers(trials: Trials) -> str:
    """Let commands and daemons open such a file in turns that chance decides."""
    chance, most = random.Random(trials.seed), 0
    for trial in range(trials.count):
        home = _home(trials.folder / str(trial))
        turns = chance.choices((_ask, _serve), k=TURNS)
        dead = sum(turn(home) for turn in turns)
        assert dead <= MOST_DEATHS, f"{dead} processes died"
        said = home.run("ask", "--local", "list files").stderr
        assert REFUSED in said, said
        most = max(most, dead)
    return f"at most {most} processes died of one"


def _home(folder: Path) -> Home:
    """A home whose model was sound once, for an older llama.cpp, say."""
    folder.mkdir()
    file = write_killer(folder / "tiny.gguf")
    home = Home(folder / "home", {"SHAMMAH_WORKER_ENABLED": "false", "SHAMMAH_MODEL_PATH": str(file)})
    with home.journal() as journal:
        record_tiny(journal, file)
    return home


def _ask(home: Home) -> int:
    """How many processes die of a question; the one that tries the file is looked after, and counts."""
    done = home.run("ask", "--local", "list files")
    assert done.returncode < 0 or REFUSED in done.stderr, done.stderr
    return int(done.returncode < 0)


def _serve(home: Home) -> int:
    """How many engines die of a daemon's start."""
    settings, log = config.load(home.environment()), home.path / LOG
    before = log.read_bytes().count(ASSERTION) if log.exists() else 0
    with home.journal() as journal:
        base = journal.bases.at(Path(settings.model.path))
    assert base is not None
    try:
        open_engine(settings, base).stop()
    except EngineRefuses:
        return (log.read_bytes().count(ASSERTION) if log.exists() else 0) - before
    raise AssertionError("the file was opened")


KILLERS = Promise(
    name="killers",
    part="Native crashes",
    claim="A model file that kills whoever opens it kills two processes of a home at most, whichever they are and "
    "however often a daemon begins; from then on it is refused by name, with what to do.",
    unit="homes",
    full=30,
    check=killers,
)
