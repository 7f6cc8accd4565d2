"""Words for the shell to complete, past the rooms that a command opens: somebody waits with a finger on Tab."""

import contextlib
import re

from shammah import config

SECONDS = 0.1
"""For a journal that another process writes: better no words than a stuck shell."""

# Some shells evaluate what they are offered (zsh's `_arguments`): no stored text may hold what means something to them.
_PLAIN = re.compile(r"[\w./:@%+=,~ -]+")
_OTHER = re.compile(r"[^\w.,? -]+")


def adapters(incomplete: str) -> list[str]:
    """Names of adapters."""
    return _column("SELECT name FROM adapters ORDER BY rowid", incomplete)


def models(incomplete: str) -> list[str]:
    """Model files that were used, the last one first, and names; the shell completes files where none begins so."""
    return [*_column("SELECT path FROM bases ORDER BY probed DESC", incomplete), *model_names(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """Names of the catalog, of the built-in model, and of files on this machine, whose headers nobody reads here."""
    from shammah import catalog, found  # 25 ms that nothing else here needs

    names = ["seedling", *(model.name for model in catalog.models()), *found.names()]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and _PLAIN.fullmatch(name)]


def pullable(incomplete: str) -> list[str]:
    """Names of the catalog."""
    from shammah import catalog

    return [model.name for model in catalog.models() if model.name.startswith(incomplete)]


def questions(incomplete: str) -> list[tuple[str, str]]:
    """Ids of the last questions, each with its first words."""
    found = _rows("SELECT id, text FROM questions ORDER BY number DESC LIMIT 20")
    return [(id, _first_words(text)) for id, text in found if id.startswith(incomplete)]


def examples(incomplete: str) -> list[str]:
    """Ids of examples."""
    return _column("SELECT id FROM examples WHERE state != 'dropped' ORDER BY rowid DESC LIMIT 50", incomplete)


def checkpoints(incomplete: str) -> list[str]:
    """Numbers of checkpoints."""
    return _column("SELECT number FROM checkpoints ORDER BY number DESC", incomplete)


def _column(statement: str, incomplete: str) -> list[str]:
    values = (str(row[0]) for row in _rows(statement))
    return [value for value in values if value.startswith(incomplete) and _PLAIN.fullmatch(value)]


def _rows(statement: str) -> list[tuple[str, ...]]:
    """What the journal says, where there is one that can be read at once."""
    import sqlite3  # `ask` and `chat` offer words by this file, and most of their lines are completed by nobody

    file = config.home_of() / "shammah.db"
    uri = f"{file.as_uri()}?mode=ro"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(uri, SECONDS, uri=True)) as connection:
        return connection.execute(statement).fetchall()
    return []


def _first_words(text: str) -> str:
    return " ".join(_OTHER.sub(" ", text[:80]).split())[:40]
