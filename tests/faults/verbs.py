"""What lives do as they are killed: each verb, the places where it can die, and what must hold once it is done."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import done
from tests.faults.done import EDITED, TARGET
from tests.faults.ground import OUTSIDE, Ground

Check = Callable[[Ground, str], None]
"""Raises AssertionError where something is not done; hears what was said when it was acknowledged."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that a user does.

    Attributes:
        command: With the names of facts in braces.
        said: A pattern of what acknowledges it.
        is_done: What must hold from then on.
        points: Where it can be killed, as SHAMMAH_FAILPOINT takes it.
        changes: Tables whose rows it may change or delete; of all others every row stays.
        active: What may be active afterwards, beside what was.
        is_old: It begins with an older version's journal.
        may_be_gone: A second try may find nothing left to do, and say so.
        takes_all: Nothing that was acknowledged before is to be left.
        is_online: Claude can be asked.
    """

    name: str
    command: tuple[str, ...]
    said: str
    is_done: Check
    points: tuple[str, ...]
    changes: tuple[str, ...] = ()
    active: tuple[tuple[str, ...], ...] = ()
    is_old: bool = False
    may_be_gone: bool = False
    takes_all: bool = False
    is_online: bool = False

    def arguments(self, ground: Ground) -> list[str]:
        """The command, for what there is."""
        facts = ground.facts
        known = {name: getattr(facts, name) for name in ("doomed", "unrated", "example", "waiting", "checkpoint")}
        known |= {"model": ground.model_folder, "adapter": ground.foreign_adapter}
        return [word.format(**known) for word in self.command]

    def acknowledged(self, said: str) -> str:
        """What it said as it was done; empty where it was not."""
        found = re.search(self.said, said)
        return found[0] if found else ""


def _around(*transactions: str) -> tuple[str, ...]:
    """The places before and after commits."""
    return tuple(f"{name}.{side}_commit" for name in transactions for side in ("before", "after"))


ASK = Verb(
    "ask",
    ("ask", "--json", "how do i show the path of this folder"),
    r'(?m)^\{"id".*\}$',
    done.answered,
    _around("ask.question", "ask.answer"),
)
FORWARD = Verb(
    "ask Claude",
    ("ask", "--json", "how do I see how large this folder is"),
    ASK.said,
    done.answered,
    _around("ask.question", "ask.route", "ask.reservation", "ask.settlement", "ask.answer"),
    is_online=True,
)
FEEDBACK = Verb(
    "feedback",
    ("feedback", "critical", "", "--id", "{unrated}", "--answer", TARGET),
    "is kept to learn",
    done.rated,
    _around("feedback.features", "feedback"),
    changes=("questions",),
)
EDIT = Verb(
    "example edit",
    ("examples", "edit", "{example}", "--answer", EDITED),
    "has weight",
    done.edited,
    _around("example"),
    changes=("examples",),
)
ACCEPT = Verb(
    "example accept",
    ("examples", "accept", "{waiting}"),
    "1 example is accepted",
    done.accepted,
    _around("example.acceptance"),
    changes=("examples", "provenance"),
)
RECEIVE = Verb("example receive", ("receive", OUTSIDE), "received", done.received, _around("example.receipt"))
TRAIN = Verb(
    "train",
    ("train",),
    '"event": "promoted"',
    done.trained,
    (
        *_around("training", "training.start", "training.evaluated", "promotion"),
        *(f"file.{side}_name:{count}" for side in ("before", "after") for count in range(1, 9)),
        "training.before_child",
        "training.after_child",
        "promotion.after_file",
        "promotion.after_report",
    ),
    changes=("checkpoints",),
    active=(("corrections-v3",), ("corrections-v4",)),
)
ROLLBACK = Verb(
    "rollback",
    ("adapters", "rollback"),
    "Applied from the next answer on",
    done.rolled_back,
    _around("rollback"),
    active=(("corrections-v1",),),
)
CHECKPOINT = Verb(
    "checkpoint rollback",
    ("checkpoint", "rollback", "{checkpoint}"),
    r"are as in checkpoint \d+",
    done.gone_back,
    (
        *_around("checkpoint", "checkpoint.forgetting", "rollback.checkpoint"),
        *(f"checkpoint.{place}" for place in ("before_sync", "before_name", "after_name", "before_deletion")),
        "rollback.after_head",
        "rollback.after_head:2",
    ),
    changes=("checkpoints",),
    active=(("corrections-v1",),),
)
CONVERT = Verb(
    "convert",
    ("models", "convert", "{model}", "out.gguf", "--type", "F16", "--force"),
    "is ready",
    done.converted,
    ("conversion.before_probe", "file.before_name", "file.before_name:2", "file.after_name:2"),
)
EXPORT = Verb(
    "export",
    ("adapters", "export", "corrections-v1", "out.gguf", "--force"),
    "is in out.gguf",
    done.exported,
    ("conversion.before_sync", "file.before_name", "file.after_name"),
)
IMPORT = Verb(
    "import",
    ("adapters", "import", "{adapter}"),
    "foreign is here",
    done.taken_in,
    ("conversion.after_probe", "file.before_name", "file.after_name", *_around("conversion.import")),
)
MIGRATE = Verb(
    "migrate",
    ("log",),
    r"\w",
    done.migrated,
    (*(f"migration.after_step:{step}" for step in (1, 4, 8)), *_around("migration")),
    changes=("adapters", "trainings"),
    is_old=True,
)
_LOST_BY_ERASURE = (
    *("questions", "answers", "examples", "ratings", "lessons", "checkpoints", "trained_examples", "jobs", "notices"),
    *("head_views", "refits", "adoptions", "provenance", "adapters", "activations", "trainings", "domains", "flags"),
)
ERASE = Verb(
    "erase",
    ("log", "erase", "{doomed}", "--yes"),
    "Erased, and overwritten",
    done.erased,
    (
        *_around("erase"),
        *("erase.before_folder", "erase.before_folder:3", "erase.before_log", "erase.before_heads"),
        "erase.before_compaction",
    ),
    changes=_LOST_BY_ERASURE,
    may_be_gone=True,
)
ERASE_ALL = Verb(
    "erase all",
    ("log", "erase", "--all", "--yes"),
    "Erased, and overwritten",
    done.emptied,
    (*_around("erase"), *(f"erase.before_folder:{count}" for count in (1, 3, 5)), "erase.before_compaction"),
    changes=_LOST_BY_ERASURE,
    active=((),),
    takes_all=True,
)
VERBS = (
    *(ASK, FORWARD, FEEDBACK, EDIT, ACCEPT, RECEIVE, TRAIN, ROLLBACK, CHECKPOINT),
    *(CONVERT, EXPORT, IMPORT, MIGRATE, ERASE, ERASE_ALL),
)
PLACES = tuple((verb, point) for verb in VERBS for point in verb.points)
"""Every place where a verb can die."""

BEFOREHAND = (ASK, FEEDBACK, EDIT)
"""What is acknowledged before another verb is killed."""
