"""How `shammah ask` answers in its own process, where no daemon does: the rooms put together, the outcome written."""

from shammah import answering, telling
from shammah.asked import Asked
from shammah.assembly import Parts
from shammah.cli import bootstrap
from shammah.cli.interrupt import Interrupt
from shammah.cli.manner import Manner, end, tell
from shammah.cli.screen import say
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.memory import Precedence
from shammah.settings import Settings


def answer(asked: Asked, settings: Settings, meter: BusyMeter, manner: Manner) -> None:
    """Answer one question and write the answer.

    Raises:
        ShammahError: It cannot be answered as asked.
    """
    stop = Interrupt()
    with Journal(settings.home) as journal, Precedence(settings.home, journal, say) as precedence:
        for notice in journal.notices.take():
            say(notice)
        bootstrap.offer(settings, journal)
        parts = Parts(settings, journal, meter, say, stop, asked.max_teacher_tokens)
        local = precedence.around(parts.local(), parts.base)

        def forwarding(worst_usd: float) -> None:
            for line in telling.before_forward(asked, parts, worst_usd):
                say(line)

        screen = manner.screen(forwarding)
        with stop:
            told = answering.answer(asked, parts, local, screen, say, stop)
        tell(told, manner)
        if line := answering.follow_up(told.side, parts):
            say(line)
    end(told)


def announce(parts: Parts, is_heard: bool) -> None:
    """Before the first forward that a person sees: to whom it goes, for how much, and how to stop it."""
    if is_heard and (line := telling.announcement(parts)):
        say(line)
