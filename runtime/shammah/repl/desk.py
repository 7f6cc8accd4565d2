"""Where messages are answered: the journal, the parts, the model, and the conversation so far."""

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from shammah import answering, config, embedding, schedule, telling
from shammah.asked import Asked, Told
from shammah.assembly import Parts
from shammah.assistant import Assistant
from shammah.cli import bootstrap, warm
from shammah.cli.answering import announce
from shammah.cli.interrupt import Interrupt
from shammah.cli.screen import Silent, harmless, say, write
from shammah.config import with_model, with_server
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.locks import background
from shammah.memory import Precedence
from shammah.policy import Side
from shammah.proxies import is_url
from shammah.records.bases import Pull
from shammah.records.questions import Question
from shammah.repl import view
from shammah.repl.conversation import Spoken
from shammah.repl.loading import Loading
from shammah.repl.screen import Live
from shammah.serve import client
from shammah.settings import Settings
from shammah.sides import LocalGenerator, LocalSide
from shammah.turn import Outcome, Request, Screen


class Desk:
    """Answers one message after the other, and knows what was said.

    Attributes:
        settings: Of this conversation.
        session: The terminal's.
        journal: Open, for the thread that made the desk.
        parts: What answers.
        loading: The local model on its way.
        last: The last question that has an answer.
        stop: Of what is answered now.
        choose: Asks the person for one of some words.
        is_live: Whether answers are drawn as they come.
    """

    def __init__(
        self,
        settings: Settings,
        session: str,
        loading: Loading,
        load: Callable[[Settings], Loading],
        choose: Callable[[str, Collection[str]], str],
    ) -> None:
        """Open the journal.

        Args:
            settings: Of this conversation.
            session: The terminal's.
            loading: The model that the settings name, on its way.
            load: Begins to load another one.
            choose: Asks the person for one of some words; empty where none comes.
        """
        self._load = load
        self.settings = settings
        self.session = session
        self.journal = Journal(settings.home)
        self.loading = loading
        self.last: Spoken | None = None
        self.choose = choose
        self.is_live = sys.stdout.isatty() and view.has_cursor()
        self.stop = Interrupt()
        self._is_offered = False
        self._awaited: Pull | None = None
        self._said: set[str] = set()
        self.parts = self._new_parts()

    def close(self) -> None:
        """Give back the model, and close the journal."""
        self.parts.close()
        self.journal.close()

    def ask(self, request: Request) -> None:
        """Answer a request; Ctrl-C ends it, and keeps what was shown.

        Raises:
            ShammahError: Nobody can answer as asked.
            KeyboardInterrupt: It was ended where nothing could be kept.
        """
        self._meet_model()
        if not self._ask_daemon(request):
            with self.at_work() as local:
                self._answer(request, local)
            self.begin_work()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[LocalSide]:
        """The local side, for as long as something is answered; Ctrl-C asks `stop` to end it.

        Raises:
            ShammahError: There is no model to answer by.
        """
        self.stop = Interrupt()
        with self.stop, Precedence(self.settings.home, self.journal, self.say_once) as precedence:
            self.loading.identified(self.stop)
            self._say_what_waits()
            self._look_for_embedder()
            self.parts.meet_server()
            try:
                yield self._local(precedence)
            finally:
                if precedence.is_pausing:  # the training needs the room again
                    self.parts.close()

    def use_model(self, path: str) -> None:
        """Let another model answer, from the next message on: a file, or a server's by its URL."""
        self.parts.close()
        self.loading.end()
        self.settings = with_server(self.settings, path) if is_url(path) else with_model(self.settings, path)
        self._awaited = None
        self.loading = self._load(self.settings)
        self.loading.start()
        self.parts = self._new_parts()

    def _meet_model(self) -> None:
        """Offer a real model before the first answer; go over to one that has come meanwhile."""
        self._remember_awaited()
        if bootstrap.has_come(self.settings, self._awaited):
            self.use_model(config.load().model.path)
        elif not self._is_offered:
            self._is_offered = True
            bootstrap.offer(self.settings, self.journal)
            self._remember_awaited()

    def _remember_awaited(self) -> None:
        """Keep in mind what is on its way: once it is here, nothing is."""
        self._awaited = self.parts.awaited or self._awaited

    def say_once(self, line: str) -> None:
        """Say what would be said again with each answer."""
        if line not in self._said:
            self._said.add(line)
            say(line)

    def _answer(self, request: Request, local: LocalSide) -> None:
        self.parts.adopt()
        outcome = self._shown(answering.assistant(self.parts, local), request)
        self._tell(request, outcome, telling.told(outcome, self.parts, with_reasons=False))
        if outcome.answer.side == Side.TEACHER and (line := schedule.consider(self.journal, self.settings)):
            say(line)

    def _tell(self, request: Request, outcome: Outcome, told: Told) -> None:
        """Keep an answer for what comes next, and say what is worth a line beside it."""
        if outcome.answer.is_shown:
            self.last = Spoken(replace(request, forced=None), outcome)
        if told.is_interrupted:
            say("(stopped; what is shown is kept)" if told.text else "(stopped)")
        if told.introduction:
            self.say_once(told.introduction)
        for line in told.notes:
            say(line)

    def _ask_daemon(self, request: Request) -> bool:
        """Let a running daemon answer, as long as no model is open here; whether it did."""
        place = None if self.parts.model is not None else warm.socket_now(self.settings)
        if place is None:
            return False
        self.stop = Interrupt()
        with self._screen() as screen, self.stop:
            self.loading.identified(self.stop)
            self._say_what_waits()
            ear = client.Ear(screen, self.say_once, lambda told: self._hear(request, told), self.stop)
            try:
                client.ask(place, warm.call(_asked(request), self.settings).as_row(), ear)
            except client.NoAnswer:
                return False
        return True

    def _hear(self, request: Request, told: Told) -> None:
        """Take an answer of the daemon's: what it recorded is read from the journal."""
        question = self.journal.question(str(told.outcome["id"]))
        assert question is not None, "the daemon has this home's journal"
        outcome = _outcome(self.journal, question, told)
        if not self.is_live and told.text:
            write(harmless(told.text))
        self._tell(request, outcome, told)

    def _local(self, precedence: Precedence) -> LocalSide:
        """The local side: its model is the one that was loaded meanwhile, or is opened where there is room."""
        side = self.parts.local()
        with_room = precedence.around(side, self.parts.base)

        def open_model() -> LocalGenerator:
            if self.parts.model is None:
                if self.is_live and self.loading.state == "loading":
                    say("(the model is still being loaded)")
                if (model := self.loading.take(self.stop)) is not None:
                    self.parts.take_model(model)
            if self.parts.model is None:
                return with_room.open()
            precedence.stand()
            return side.open()

        return replace(side, open=open_model)

    def _shown(self, assistant: Assistant, request: Request) -> Outcome:
        """Let a request be answered where it shows."""
        with self._screen() as screen:
            outcome = assistant.ask(request, screen, self.stop)
        if not self.is_live and outcome.text:
            write(harmless(outcome.text))
        return outcome

    @contextlib.contextmanager
    def _screen(self) -> Iterator[Screen]:
        """Where an answer shows while it is made."""
        if not self.is_live:
            yield Silent(self._announce)
            return
        screen = Live(self._announce)
        try:
            yield screen
        finally:
            screen.leave()

    def _announce(self, _worst_usd: float) -> None:
        announce(self.parts, sys.stderr.isatty())

    def _new_parts(self) -> Parts:
        meter = BusyMeter(background(self.settings.home))
        return Parts(self.settings, self.journal, meter, self.say_once, lambda: self.stop())

    def _renew_parts(self) -> None:
        """Put the parts together anew, with the model that is open."""
        model, self.parts = self.parts.give_up_model(), self._new_parts()
        if model is not None:
            self.parts.take_model(model)

    def _look_for_embedder(self) -> None:
        """Take up the embedder that the background has made meanwhile."""
        if self.parts.embed is None and embedding.ready(self.settings.home) is not None:
            self._renew_parts()

    def _say_what_waits(self) -> None:
        for line in [*self.loading.said, *self.journal.notices.take()]:
            say(line)
        self.loading.said.clear()

    def begin_work(self) -> None:
        """Let the background begin, where there is work for it."""
        if self.settings.worker.enabled and self.journal.jobs.waiting():
            from shammah import worker  # most messages leave no work

            worker.start(self.settings.home, self.settings.offline)


def _asked(request: Request) -> Asked:
    """A request as it travels; the settings go beside it."""
    return Asked(
        text=request.text,
        session=request.session,
        forced=request.forced.value if request.forced else "",
        history=tuple((message.role, message.content) for message in request.history),
        is_private=request.is_private,
        seed=request.sampling.seed,
        hears_price=sys.stderr.isatty(),
    )


def _outcome(journal: Journal, question: Question, told: Told) -> Outcome:
    """What the daemon told, with the records that it left."""
    answer = next(answer for answer in reversed(journal.answers(question)) if answer.side == told.side)
    found = told.outcome
    return Outcome(
        told.text, question, answer, told.count, found["redactions"], found["seconds"], found["validator_probability"]
    )
