"""`shammah log restore` and `repair`: a database that is damaged, or of another version."""

from pathlib import Path
from typing import Annotated

import typer

from shammah import config
from shammah.cli.screen import say
from shammah.errors import UsageError

Copy = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="A copy beside shammah.db; else the newest that was made.")
]


def restore(file: Copy = None) -> None:
    """Go back to a copy of the database, such as the one made before its schema changed; what is there is set aside."""
    from shammah import copies, database
    from shammah.erasing import alone
    from shammah.journal import Journal

    home = config.load().home
    path = home / "shammah.db"
    copy = file.expanduser() if file else copies.newest(path)
    if copy is None:
        raise UsageError(
            f"there is no copy beside {path}", hint="One is made when a newer Shammah changes the database; give FILE."
        )
    with alone(home):
        kept = copies.restore(path, copy)
        Journal(home).close()  # brings an older one up to date
    _, _, count = database.examine(path)
    say(f"{path} is as {copy.name} has it: {count:,} question{'s' * (count != 1)}.")
    if kept is not None:
        say(f"What was there is {kept}. To undo this, give that file.")


def repair() -> None:
    """Look the database through; where it is damaged, it is set aside, and what can be read is in a new one."""
    from shammah.database import Database

    path = config.load().home / "shammah.db"
    if Database.mended(path):
        say("Ask, and look: `shammah log`. Lessons and examples that were lost are not learnt again.")
    else:
        say(f"{path} is whole; nothing was done." if path.exists() else "There is no database yet.")
