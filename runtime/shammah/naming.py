"""What adapters are called: names that can be typed, and another one for an adapter that has one."""

from shammah.errors import UsageError
from shammah.journal import Journal
from shammah.records.adapters import Adapter

LONGEST_NAME_BYTES = 80
NO_ADAPTER = "none"
TRAINED = "corrections-v{}"
"""What a training calls its adapter, by its number; with a b behind it where another has that name."""


def plain(name: str) -> str:
    """A name that can be typed, is no path, and no word of a command's own."""
    kept = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
    short = kept.encode("utf-8", "ignore")[:LONGEST_NAME_BYTES].decode("utf-8", "ignore").strip("-.")
    return short if short not in ("", NO_ADAPTER) else "adapter"


def rename(journal: Journal, adapter: Adapter, name: str) -> None:
    """Call an adapter otherwise, all at once: history and lineage tell the new name, running processes take it over.

    Its file stays where it is, and keeps the name that it was made with.

    Raises:
        UsageError: The name cannot be typed, belongs to another adapter, or did and history still tells it.
    """
    if name in (NO_ADAPTER, adapter.name):
        why = "is what `shammah adapters use` calls no adapter" if name == NO_ADAPTER else "is its name already"
        raise UsageError(f"{name} {why}", hint="Give another name.")
    if plain(name) != name:
        raise UsageError(
            f"{name!r} is no name for an adapter",
            hint=f"A name has letters, digits, dots, dashes and underscores: {plain(name)}",
        )
    training = journal.trainings.open_one()
    if training is not None and name.rstrip("b") == TRAINED.format(training.number):
        raise UsageError(f"{name} is what training {training.number} will call its adapter", hint="Give another name.")
    if not journal.adapters.rename(adapter, name):
        raise UsageError(f"{name} is or was the name of another adapter", hint="Give a name that none has or had.")
