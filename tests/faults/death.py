"""Nothing that was acknowledged is lost to kill -9, wherever it strikes."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shammah.database import SCHEMA_VERSION, examine
from tests.faults import sound
from tests.faults.ground import OLD_SCHEMA, Ground
from tests.faults.lives import Life, Moment
from tests.faults.promise import Promise, Trials
from tests.faults.restarts import ROOMS, ground, restart, start_seconds
from tests.faults.verbs import BEFOREHAND, PLACES, VERBS, Verb

TIMES = 25
"""So often each place is died at."""

UNKNOWN_SECONDS = 0.3
"""Of a verb that nobody has seen end yet."""


@dataclass
class Deaths:
    """Lives that end early on one ground, and what was seen of them."""

    ground: Ground
    start_seconds: float
    slowest_seconds: float = 0.0
    acknowledged: int = 0
    killed: int = 0
    known_seconds: dict[str, float] = field(default_factory=dict)

    def at(self, verb: Verb, point: str) -> None:
        """Kill a verb at a place, and look."""
        self.ground.put_back(verb.is_old)
        before = {} if verb.is_old else sound.rows(self.ground)
        life = self.ground.live(verb.arguments(self.ground), place=point, is_online=verb.is_online)
        assert life.was_killed, f"{verb.name} never comes to {point}, or is not killed there: {life.said}"
        self._look(verb, life, before)
        self._do_again(verb)
        self._restart(verb)

    def within(self, lived: Sequence[Verb], place: int, share: float) -> None:
        """Kill a life in one of its verbs, at a share of the time that it takes, and look."""
        last = lived[-1]
        self.ground.put_back(last.is_old)
        before = {} if last.is_old else sound.rows(self.ground)
        seconds = share * self.known_seconds.get(lived[place].name, UNKNOWN_SECONDS)
        commands = [verb.arguments(self.ground) for verb in lived]
        life = self.ground.live(*commands, moment=Moment(place, seconds), is_online=last.is_online)
        assert life.was_killed or life.code == 0, life.said
        for verb, took in zip(lived, life.seconds[: -1 if life.was_killed else None], strict=False):
            known = self.known_seconds.get(verb.name, took)
            self.known_seconds[verb.name] = (known + took) / 2  # a busy machine makes some of them long
        self.killed += life.was_killed
        self._look(last, life, before, lived)
        self._restart(last)

    def _look(self, verb: Verb, life: Life, before: sound.Rows, lived: Sequence[Verb] = ()) -> None:
        """See what a death left, before anybody works there again."""
        sound.check_no_orphan(self.ground)
        schema, faults, _ = examine(self.ground.home.path / "shammah.db")
        assert not faults, faults
        assert schema in ((OLD_SCHEMA, SCHEMA_VERSION) if verb.is_old else (SCHEMA_VERSION,))
        has_begun = len(life.said) == max(1, len(lived))
        for done, said in zip(lived or [verb], life.said, strict=False):
            is_gone = verb.takes_all and has_begun and done is not verb
            if (word := done.acknowledged(said)) and not is_gone:
                done.is_done(self.ground, word)
                self.acknowledged += 1
        if not verb.is_old:
            changed = {table for done in lived or [verb] for table in done.changes}
            sound.check_rows(self.ground, before, changed)
            sound.check(self.ground, self._may_be_active(verb))

    def _do_again(self, verb: Verb) -> None:
        """Whoever was killed can begin again, and comes to the end."""
        try:
            verb.is_done(self.ground, "")
        except (AssertionError, ValueError):
            life = self.ground.live(verb.arguments(self.ground), is_online=verb.is_online)
            assert life.code == 0 or (verb.may_be_gone and life.code == 2), life.said
            verb.is_done(self.ground, verb.acknowledged(life.said[0]))

    def _restart(self, verb: Verb) -> None:
        self.slowest_seconds = max(self.slowest_seconds, restart(self.ground, self.start_seconds))
        if not verb.is_old:
            sound.check(self.ground, self._may_be_active(verb))

    def _may_be_active(self, verb: Verb) -> tuple[tuple[str, ...], ...]:
        return (("corrections-v2",), *verb.active)


@contextlib.contextmanager
def _deaths(trials: Trials) -> Iterator[Deaths]:
    with ground(trials) as made:
        yield Deaths(made, start_seconds(*ROOMS))


def at_failpoints(trials: Trials) -> str:
    """Die at each place in turn, in an order that the seed decides."""
    chance, order = random.Random(trials.seed), list[tuple[Verb, str]]()
    while len(order) < trials.count:
        order += chance.sample(PLACES, len(PLACES))
    with _deaths(trials) as deaths:
        for verb, point in order[: trials.count]:
            with _killing(f"{verb.name} at {point}"):
                deaths.at(verb, point)
    died = len(set(order[: trials.count]))
    return f"at {died} of {len(PLACES)} places, the slowest restart took {deaths.slowest_seconds:.2f} s"


def at_any_moment(trials: Trials) -> str:
    """Die within a verb, some of them after others were acknowledged."""
    chance = random.Random(trials.seed)
    with _deaths(trials) as deaths:
        while deaths.killed < trials.count:  # some end before their moment comes
            last = chance.choice(VERBS)
            lived = [last] if last.is_old else [chance.choice([v for v in BEFOREHAND if v is not last]), last]
            place, share = chance.randrange(len(lived)), chance.uniform(0.0, 1.0)
            with _killing(f"{' and '.join(verb.name for verb in lived)}, {share:.2f} into {lived[place].name}"):
                deaths.within(lived, place, share)
    return f"{deaths.acknowledged} acknowledged, the slowest restart took {deaths.slowest_seconds:.2f} s"


@contextlib.contextmanager
def _killing(what: str) -> Iterator[None]:
    """Say what was killed, where something is broken by it."""
    try:
        yield
    except Exception as error:
        error.add_note(f"killed: {what}")
        raise


PROMISES = (
    Promise(
        "death-at-places",
        "Process death",
        "Killed before or after any durable step of asking, rating, editing, training, converting, promoting, rolling"
        " back, checkpointing, migrating or erasing, a command loses nothing that was there, leaves the old or the new"
        " adapter whole and no orphan trainer, can be given again, and the next answer takes less than 2 s.",
        "kills",
        TIMES * len(PLACES),
        at_failpoints,
        least=len(PLACES) // 3,
    ),
    Promise(
        "death-at-any-moment",
        "Process death",
        "What a command has acknowledged over its pipe is there after kill -9 at any moment, the database is whole, and"
        " an adapter that was active, or the one that took its place, is.",
        "kills",
        1000,
        at_any_moment,
    ),
)
