"""What each command does."""

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from shammah import admission, bases, explaining, memory, quality
from shammah import feedback as path_of_feedback
from shammah.admission import Refuse, Wish
from shammah.amounts import gigabytes
from shammah.cli import explain, stats
from shammah.cli.feedback import give
from shammah.cli.screen import draw, say, tell, write
from shammah.cli.typed import edited
from shammah.errors import ShammahError, UsageError
from shammah.feedback import Feedback
from shammah.journal.counted import Scope
from shammah.learning import Heads
from shammah.policy import Side
from shammah.privacy import says_the_same
from shammah.proxies import is_url
from shammah.records.examples import Rating
from shammah.repl import comparison, saving
from shammah.repl.commands import Call, help_lines
from shammah.repl.conversation import Spoken, again
from shammah.repl.desk import Desk
from shammah.stats import figures
from shammah.telling import reasons

_NEED_MODEL = ("use", "load", "rollback", "import", "domains")


class Failed(ShammahError):
    """A command has said itself why it could not be done."""

    hint = ""


def do(desk: Desk, call: Call) -> None:
    """Do a command.

    Raises:
        ShammahError: It cannot be done.
    """
    if call.name in ("critical", "medium", "good"):
        _rate(desk, call.name, call.rest)
    else:
        _HANDLERS[call.name](desk, call.rest)


def _rate(desk: Desk, name: str, note: str) -> None:
    give(Feedback(path_of_feedback.NAMES[name], note), _last(desk).outcome.question, desk.journal, desk.settings)


def _feedback(desk: Desk, rest: str) -> None:
    name, _, note = rest.partition(" ")
    _rate(desk, _rating(name), note.strip())


def _rating(name: str) -> str:
    if name.lower() not in path_of_feedback.NAMES:
        raise UsageError(
            f"{name!r} is no rating" if name else "there is no rating",
            hint=f"It is one of {', '.join(path_of_feedback.NAMES)}.",
        )
    return name.lower()


def _edit_answer(desk: Desk, rest: str) -> None:
    """The answer in the editor; what comes back is what should have been said."""
    spoken = _last(desk)
    rating = path_of_feedback.NAMES[_rating(rest)] if rest else Rating.CRITICAL
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal for an editor", hint='Outside: shammah feedback critical --answer "what is right"'
        )
    before = spoken.outcome.answer.text
    after = edited(before).strip()
    if not after or says_the_same(after, before):
        say("Nothing was changed, and nothing is learnt.")
        return
    give(Feedback(rating, target=after), spoken.outcome.question, desk.journal, desk.settings)


def _teacher(desk: Desk, _: str) -> None:
    desk.ask(again(desk.last, Side.TEACHER))


def _local(desk: Desk, _: str) -> None:
    desk.ask(again(desk.last, Side.LOCAL))


def _why(desk: Desk, _: str) -> None:
    spoken = _last(desk)
    question, shown = spoken.outcome.question, spoken.outcome.answer
    heads = Heads(desk.settings.home, desk.journal, question.lineage, desk.settings.heads.learner)
    found = explaining.explain(desk.journal, heads, question, shown, desk.parts.embed)
    held = quality.of_base(desk.settings, desk.journal, question.lineage)
    promise = quality.promise(held, desk.journal.count(question.lineage))
    tell("\n".join([*reasons(spoken.outcome, desk.parts), "", *explain.lines(found, promise)]))


def _train(desk: Desk, rest: str) -> None:
    words = _words(rest)
    if words == ["cancel"]:
        command(["train", "--cancel"])
        return
    _make_room(desk)
    command(["train", "--background", *words, *_model_flag(desk)])


def _teach(desk: Desk, rest: str) -> None:
    """One round; the model is opened again by the next message."""
    desk.loading.identified()
    desk.parts.close()
    words = _words(rest)
    focus = " ".join(word for word in words if not word.startswith("--"))
    options = [word for word in words if word.startswith("--")]
    command(["teach", "--rounds", "1", *options, *_model_flag(desk), *([focus] if focus else ())])


def _make_room(desk: Desk) -> None:
    """Give up our model where a training does not fit beside it; the next answer opens it again."""
    if desk.parts.model is None:
        return
    wish = Wish("training", admission.training_bytes(desk.parts.base.size), is_awaited=True)
    if isinstance(memory.decide(desk.settings.home, desk.journal, wish), Refuse):
        desk.parts.close()


def _adapters(desk: Desk, rest: str) -> None:
    words = _words(rest) or ["list"]
    command(["adapters", *words, *(_model_flag(desk) if words[0] in _NEED_MODEL else ())])


def _model_flag(desk: Desk) -> list[str]:
    path = desk.settings.model.path
    return ["--model", path] if path else []


def _model(desk: Desk, rest: str) -> None:
    if rest:
        desk.use_model(rest if is_url(rest) else str(bases.resolve(rest)))
        say(f"{rest} answers from the next message on.")
        return
    desk.loading.identified()
    base, model = desk.parts.base, desk.parts.model
    lines = [f"{base.name} ({base.architecture}, {gigabytes(base.size)})", base.path]
    if desk.parts.server:
        lines = [f"{base.name} at {desk.parts.server}"]
    elif model is not None:
        facts = model.facts
        lines.append(
            f"{facts.parameters / 1e6:,.0f} million parameters, {facts.layers} layers, {model.threads} threads,"
            f" context of {min(facts.context_tokens, desk.parts.limit_tokens):,} tokens"
        )
    active = ", ".join(f"{name}:{scale:g}" for name, scale in desk.journal.adapters.active(base.sha256))
    tell("\n".join([*lines, f"adapters: {active or 'none'}"]))


def _stats(desk: Desk, _: str) -> None:
    draw(stats.shown(figures.gather(desk.journal, desk.settings, Scope(), None, date.today())))


def _new(desk: Desk, _: str) -> None:
    desk.last = None
    say("A new conversation.")


def _save(desk: Desk, rest: str) -> None:
    file = saving.save(_last(desk), Path(rest).expanduser() if rest else None)
    say(f"Written to {file}; secrets stand there as placeholders.")


def _help(_desk: Desk, _: str) -> None:
    write("\n".join(help_lines(shutil.get_terminal_size().columns)))


def _last(desk: Desk) -> Spoken:
    if desk.last is None:
        raise UsageError("nothing was asked yet", hint="Type a question.")
    return desk.last


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise UsageError(f"{rest!r} cannot be read: {error}", hint="Close the quotation mark.") from error


def command(words: Sequence[str]) -> None:
    """Do what the command line does.

    Raises:
        ShammahError: It cannot be done.
    """
    from typer.main import get_command

    from shammah.cli.commands import app_of, wanted

    try:
        get_command(app_of(wanted(words, {})))(list(words), prog_name="shammah")
    except SystemExit as end:
        if end.code:
            raise Failed(f"`shammah {shlex.join(words)}` ended with {end.code}") from None


_HANDLERS: Mapping[str, Callable[[Desk, str], None]] = {
    "feedback": _feedback,
    "answer": _edit_answer,
    "teacher": _teacher,
    "local": _local,
    "compare": comparison.compare,
    "why": _why,
    "teach": _teach,
    "train": _train,
    "adapters": _adapters,
    "model": _model,
    "stats": _stats,
    "new": _new,
    "save": _save,
    "help": _help,
}
