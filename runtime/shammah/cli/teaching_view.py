"""How teaching shows: a board that is drawn anew on a terminal, plain lines elsewhere."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from shammah.amounts import dollars
from shammah.cli.screen import harmless, write

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shammah.teaching.results import Analysis
    from shammah.teaching.rounds import Round

SHOWN_CALLS = 6
EFFECTS = {"better": "kept", "same": "no gain", "worse": "taken back"}


class Shown(Protocol):
    """Whatever shows teaching."""

    def hear(self, line: dict[str, Any]) -> None:
        """Show what has just happened."""
        ...


def in_words(line: Mapping[str, Any], who: str) -> str:
    """An event of the loop as a line, with the teacher by its name; empty for what is not worth one."""
    match line["event"]:
        case "analysing":
            return f"Round {line['number']}: asking the test questions"
        case "analysed":
            return _analysis(line["analysis"])
        case "asking":
            return f"{who} looks at {', '.join(line['areas'])}"
        case "called":
            return f"{who}: {_call(line['tool'], line['result'])}"
        case "generated":
            made = line["generated"]
            return f"{line['category']}: {_examples(made.kept, 'new ')}, {made.tests} test questions"
        case "training":
            return f"Training on {_examples(line['examples'], 'new ')}"
        case "worse":
            return f"{line['before']} of {line['tests']} were right before, {line['after']} after: taken back"
        case "round":
            return _round(line["round"])
    return ""


def _analysis(found: "Analysis") -> str:
    if found.success is None:
        return "There are no test questions yet"
    parts = (f"{one.category} {one.right}/{one.tests}" for one in found.categories)
    return f"{found.right} of {found.tests} test questions are right ({', '.join(parts)})"


def _call(tool: str, result: Mapping[str, Any]) -> str:
    if "error" in result:
        return f"{tool} was refused: {result['error']}"
    match tool:
        case "generate_training_data":
            return f"{tool}: {_examples(result['kept'], 'new ')}, {result['tests']} test questions"
        case "query_local_model":
            return f"{tool}: {str(result['answer'])[:60]!r}"
        case "compare_responses":
            return f"{tool}: {result['verdict']}"
    return f"{tool}"


def _round(one: "Round") -> str:
    how = one.training.state if one.training else "no training"
    reason = f" ({one.training.reason})" if one.training and one.training.reason else ""
    return (
        f"Round {one.number}: {_examples(one.examples)}, training {how}{reason};"
        f" {one.before} -> {one.after} of {one.tests} right, {EFFECTS[one.effect]}; {dollars(one.spent_usd)} so far"
    )


def _examples(count: int, kind: str = "") -> str:
    return f"{count} {kind}example{'s' * (count != 1)}"


class Lines:
    """A line for each thing that happens, on stdout."""

    def __init__(self, who: str) -> None:
        self._who = who

    def hear(self, line: dict[str, Any]) -> None:
        """Write it, where it is worth a line."""
        if text := in_words(line, self._who):
            write(harmless(text))


class Board:
    """The rounds as a table, and below it what happens now."""

    def __init__(self, who: str) -> None:
        from rich.live import Live

        self._rounds: list[Round] = []
        self._said: list[str] = []
        self._now = ""
        self._who = who
        self._live = Live(self._drawn(), refresh_per_second=4)
        self._live.start()

    def close(self) -> None:
        """Leave the board as it is."""
        self._now = ""
        self._live.update(self._drawn(), refresh=True)
        self._live.stop()

    def hear(self, line: dict[str, Any]) -> None:
        """Draw the board anew."""
        if line["event"] == "round":
            self._rounds.append(line["round"])
            self._said.clear()
        elif line["event"] in ("step", "epoch", "answering"):
            self._now = " ".join(f"{key} {value}" for key, value in _of_training(line))
        elif text := in_words(line, self._who):
            self._said.append(harmless(text))
            self._now = ""
        self._live.update(self._drawn())

    def _drawn(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        lines = [*self._said[-SHOWN_CALLS:], *([self._now] if self._now else ())]
        return Group(_table(self._rounds), *(Text(line, style="dim") for line in lines))


def _table(done: "list[Round]") -> "RenderableType":
    from rich.table import Table

    table = Table("round", "examples", "training", "right before", "right after", "", "spent")
    for one in done:
        table.add_row(
            str(one.number),
            str(one.examples),
            one.training.state if one.training else "none",
            f"{one.before}/{one.tests}",
            f"{one.after}/{one.tests}",
            EFFECTS[one.effect],
            dollars(one.spent_usd),
        )
    return table


def _of_training(line: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What is worth showing of a training's line."""
    for key in ("epoch", "step", "steps", "loss", "exact", "rows", "done", "of"):
        if key in line:
            yield key, f"{line[key]:.3f}" if isinstance(line[key], float) else line[key]
