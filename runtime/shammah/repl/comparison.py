"""A blind comparison at the keyboard: two answers, a pick, and only then who gave which."""

import random
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace

from shammah import adapters, comparing, naming, schedule
from shammah.cli.answering import announce
from shammah.cli.screen import draw, harmless, say, write
from shammah.comparing import Contender, Pair
from shammah.errors import Interrupted, KeyMissing, ShammahError, StaysHere, UsageError
from shammah.generation import Completion, Finish, collect
from shammah.journal.comparisons import Pick
from shammah.policy import Reason
from shammah.privacy import Redactor
from shammah.records.questions import NewAnswer, Question
from shammah.repl import view
from shammah.repl.conversation import Spoken, following
from shammah.repl.desk import Desk
from shammah.sides import LocalSide, budget_reached, with_features
from shammah.turn import Outcome, Request
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

LOCAL = "the local model"
ASK = "Which is better: 1, 2, = (as good), or nothing to skip?"
_PICKS: dict[str, Pick] = {"1": "first", "2": "second", "=": "both"}


def compare(desk: Desk, rest: str) -> None:
    """Let two answer a question, and learn from which one is picked.

    Raises:
        ShammahError: One of the two has no whole answer.
    """
    names, text = _contest(desk, rest)
    request = _request(desk, text)
    redactor = Redactor()
    context = redactor.redact_all(request.context)
    request = request.heeding(desk.settings.privacy.never_forward, context)
    question, one, other = _ask_both(desk, names, request, context, redactor)
    pair = comparing.hidden(_redacted(one, redactor), _redacted(other, redactor), random.SystemRandom())
    picked = _pick(desk, pair, redactor)
    if picked is None:
        say("Skipped: nothing is learnt, and nothing was said.")
        return
    answer = comparing.settle(desk.journal, question, pair, picked)
    count = desk.journal.count(question.lineage)
    outcome = Outcome(redactor.restore(answer.text), question, answer, count, redactor.count, {}, None)
    desk.last = Spoken(request, outcome)
    _reveal(desk, pair)
    if line := schedule.consider(desk.journal, desk.settings):
        say(line)
    desk.begin_work()


def _ask_both(
    desk: Desk, names: tuple[str, str] | None, request: Request, context: Sequence[Message], redactor: Redactor
) -> tuple[Question, Contender, Contender]:
    """The recorded question, and what both say to it: two adapters, or the teacher and the local model."""
    with desk.at_work() as local:
        if names is None:
            _check_teacher(desk, request, context)
        sets = [_files(desk, local, name) for name in names or ()]
        say("(both are asked; who answers which stays hidden)")

        def begin() -> Question:
            return desk.journal.begin(
                desk.session, local.lineage, context, redactor.count, may_go_online=request.may_go_online
            )

        if names is None:  # ours first: it costs nothing where it fails
            other = Contender(LOCAL, _by_local(desk, local, context))
            question = begin()
            return question, Contender(desk.parts.teacher().who, _by_teacher(desk, question)), other
        reason = Reason.PRIVATE if request.is_private else Reason.SAMPLED
        one, other = (
            Contender(name, _by_adapter(desk, local, context, name, files, reason))
            for name, files in zip(names, sets, strict=True)
        )
        return begin(), one, other


def _contest(desk: Desk, rest: str) -> tuple[tuple[str, str] | None, str]:
    """Two adapters where the first two words name them, and the question behind them."""
    words = rest.split(maxsplit=2)
    if len(words) < 2 or not all(_is_adapter(desk, word) for word in words[:2]):
        return None, rest
    one, other = map(_contender, words[:2])
    if one == other:
        raise UsageError("these are one and the same", hint="Name two adapters, or one and none.")
    return (one, other), words[2] if len(words) > 2 else ""


def _contender(word: str) -> str:
    """NAME:SCALE in the one way in which it is tallied; what has no usable scale is told when it is to answer."""
    name, _, number = word.partition(":")
    try:
        scale = float(number or 1)
    except ValueError:
        return word
    return name if scale == 1 else f"{name}:{scale:.15g}"


def _is_adapter(desk: Desk, word: str) -> bool:
    name = word.partition(":")[0]
    return name == naming.NO_ADAPTER or desk.journal.adapters.find(name) is not None


def _request(desk: Desk, text: str) -> Request:
    if text:
        return following(text, desk.last, desk.settings, desk.session)
    if desk.last is None:
        raise UsageError("there is no question", hint="Give one: /compare how do I list hidden files")
    return desk.last.request


def _check_teacher(desk: Desk, request: Request, context: Sequence[Message]) -> None:
    """See that the teacher may be asked and can be, before anything is begun.

    Raises:
        ShammahError: Not so: offline, without a key, or beyond a budget.
    """
    if request.is_private:
        hint = "Compare two adapters: /compare NAME none QUESTION"
        raise StaysHere("something in this conversation matches `privacy.never_forward`", hint=hint)
    if not request.may_go_online:
        raise UsageError("nothing leaves this machine", hint="Compare two adapters: /compare NAME none QUESTION")
    side = desk.parts.teacher()
    if side.generator is None:
        raise KeyMissing(f"{side.who} has no key here", hint="`shammah doctor` says which; or compare two adapters.")
    if (bound := side.passed(desk.journal, context)) is not None:
        raise budget_reached(bound, side.who)


def _by_teacher(desk: Desk, question: Question) -> NewAnswer:
    side = desk.parts.teacher()
    announce(desk.parts, sys.stderr.isatty())
    completion = _whole(side.complete(desk.journal, question, lambda _: None, desk.stop), side.who)
    return side.answer(completion, Reason.SAMPLED, {})


def _by_local(desk: Desk, local: LocalSide, context: Sequence[Message]) -> NewAnswer:
    sampling = following("", None, desk.settings, desk.session).sampling
    completion = _whole(local.complete(context, sampling, lambda _: None, desk.stop), LOCAL)
    return with_features(local.answer(completion, Reason.SAMPLED, {}), context[-1].content, completion)


def _by_adapter(
    desk: Desk, local: LocalSide, context: Sequence[Message], name: str, files: Sequence[AdapterFile], reason: Reason
) -> NewAnswer:
    """An answer with one adapter alone; what is active is applied again before the next answer."""
    local.open()
    model = desk.parts.model
    assert model is not None, "it was opened just now"
    model.apply(files)
    sampling = following("", None, desk.settings, desk.session).sampling
    completion = collect(model.stream(context, sampling, desk.stop, local.limit_tokens))
    return with_features(local.answer(_whole(completion, name), reason, {}), context[-1].content, completion)


def _files(desk: Desk, local: LocalSide, word: str) -> list[AdapterFile]:
    if word == naming.NO_ADAPTER:
        return []
    base, ((name, scale),) = adapters.parse_set(desk.journal, [word])
    if base != local.lineage:
        raise UsageError(f"{name} was made for another model", hint="See /adapters.")
    adapter = adapters.find(desk.journal, name)
    return [AdapterFile(adapter.name, adapter.path, adapter.sha256, scale)]


def _whole(completion: Completion, name: str) -> Completion:
    if completion.end.finish is Finish.INTERRUPTED:
        raise Interrupted("interrupted")
    if completion.end.finish is not Finish.STOP or not completion.text:
        raise ShammahError(f"{name} gave no whole answer ({completion.end.finish})", hint="Ask something shorter.")
    return completion


def _redacted(given: Contender, redactor: Redactor) -> Contender:
    return replace(given, answer=replace(given.answer, text=redactor.redact(given.answer.text)))


def _pick(desk: Desk, pair: Pair, redactor: Redactor) -> Pick | None:
    """Show both, and ask; the same twice needs no pick."""
    for number, contender in enumerate(pair, 1):
        write(f"--- {number} ---")
        text = redactor.restore(contender.answer.text)
        columns = shutil.get_terminal_size().columns - 1
        draw("\n".join(view.rows(text, columns)) if desk.is_live else harmless(text))
    if comparing.is_same(pair):
        say("Both say the same.")
        return "both"
    return _PICKS.get(desk.choose(ASK, _PICKS))


def _reveal(desk: Desk, pair: Pair) -> None:
    """Who gave which, and how it stands between the two."""
    one, other = sorted(contender.name for contender in pair)
    tally = desk.journal.comparisons.tally(one, other)
    write(f"1 was {pair[0].name}, 2 was {pair[1].name}.")
    write(f"So far: {one} {tally.first}, {other} {tally.second}, as good {tally.both}.")
