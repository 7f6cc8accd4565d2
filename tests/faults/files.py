"""Bases and adapters that were changed: they end no process of ours, and none is served for another."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from shammah import adapters, bases
from shammah.errors import AdapterChanged, AdapterError, BadModel
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.records.bases import Base
from shammah_convert.job import AdapterFile
from shammah_convert.lora import Card, write_lora
from tests.faults.attempts import refusal
from tests.faults.mutations import Victim, mutation
from tests.faults.openers import Forks
from tests.faults.promise import Promise, Trials
from tests.lora_files import BASE, make_lora
from tests.qwens import KINDS
from tests.runtime.test_adapter_files import BAD, House
from tests.tiny import write_tiny

PART = "Files"
RECORDED_EVERY = 5
"""Of so many mutations, before one the sound file is recorded, so that only the change tells it from what is served."""


@dataclass(frozen=True)
class Shelf:
    """A home with sound bases, the built-in model and one of each kind of Qwen, and processes that open files."""

    journal: Journal
    victims: tuple[Victim, ...]
    forks: Forks

    def identify(self, victim: Victim) -> Base:
        """As a command does it, but for the process that opens what is new."""
        return bases.identify(self.journal, victim.file, opener=self.forks.open)


@contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """One in a folder."""
    copyfile(bases.SEEDLING, folder / "seedling.gguf")
    files = [folder / "seedling.gguf", *(kind.write(folder / f"{kind}.gguf") for kind in KINDS)]
    with Journal(folder / "home") as journal:
        yield Shelf(journal, tuple(map(Victim.of, files)), Forks())


def changed_bases(trials: Trials) -> str:
    """Change bases in place, and let each be identified; the inode and the time of writing stay as they were."""
    seed, seen = random.Random(trials.seed), Counter[str]()
    with shelf(trials.folder) as house:
        for number in range(trials.count):
            victim = house.victims[seed.randrange(len(house.victims))]
            if number % RECORDED_EVERY == 0:
                house.identify(victim)
            seen[_identified(house, victim, seed, is_recorded=number % RECORDED_EVERY == 0)] += 1
    return _in_words(seen, house.forks.died)


def _identified(house: Shelf, victim: Victim, seed: random.Random, is_recorded: bool) -> str:
    """What becomes of a changed file."""
    change = mutation(victim, seed)
    with victim.changed(change) as data:
        if data == victim.whole:
            return "as before"
        if is_recorded:
            assert bases.known(house.journal, victim.file) is None, f"{change} goes unnoticed"
        opened, sha256 = house.forks.opened, hashlib.sha256(data).hexdigest()
        refused = refusal(lambda: house.identify(victim), BadModel)
        recorded = house.journal.bases.at(victim.file)
        if refused is not None:
            assert recorded is None or recorded.sha256 != sha256, change
            return "refused when it was opened" if house.forks.opened > opened else "refused unopened"
        assert recorded is not None, change
        assert recorded.sha256 == sha256 != hashlib.sha256(victim.whole).hexdigest(), change
        return "other models, by their own hash"


def _in_words(seen: Counter[str], died: int) -> str:
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(seen.items()))
    return f"{told}; {died} ended the process that opened them"


def changed_adapters(trials: Trials) -> str:
    """Change an adapter that is applied: it is refused by its hash; offered as new, it is refused by name or sound."""
    seed, seen, forks = random.Random(trials.seed), Counter[str](), Forks()
    path = write_tiny(trials.folder / "base.gguf")
    base = Base(adapters.hash_of(path), str(path), path.stat().st_size, 0, 0, "tiny", "qwen2")
    file = trials.folder / "mine.gguf"
    write_lora(file, make_lora(Card("mine", "tiny", base.sha256)), BASE)
    victim, mine = Victim.of(file), AdapterFile("mine", str(file), adapters.hash_of(file))
    with LocalModel(path, gpu_layers=0) as model:
        for _ in range(trials.count):
            with victim.changed(change := mutation(victim, seed)) as data:
                if data != victim.whole:
                    _is_refused(model, mine)
                    seen[_offered(file, base, forks, str(change))] += 1
    return _in_words(seen, forks.died)


def _is_refused(model: LocalModel, file: AdapterFile) -> None:
    assert refusal(lambda: adapters.swap(model, [file]), AdapterChanged), "a changed adapter is applied"
    assert model.applied == ()


def _offered(file: Path, base: Base, forks: Forks, change: str) -> str:
    """What a changed adapter is called when it comes in: the name of its error, or a sound one."""
    refused = refusal(lambda: adapters.read(file, base), AdapterError)
    if refused is not None:
        assert type(refused) is not AdapterError, change
        assert refused.hint not in ("", AdapterError.hint), change
        return type(refused).__name__
    if refusal(lambda: forks.open(Path(base.path), file), BadModel):
        return "refused when it was opened"
    return "sound, and another by its hash"


def bad_adapters(trials: Trials) -> str:
    """Offer each kind of bad adapter; each has an error of its own kind with a next step."""
    path = write_tiny(trials.folder / "base.gguf")
    base = Base(adapters.hash_of(path), str(path), path.stat().st_size, 0, 0, "tiny", "qwen2")
    seen = Counter[str]()
    for number, name in enumerate(list(BAD)[: trials.count]):
        make, expected, words = BAD[name]
        house = House(trials.folder / f"home-{number}", base, trials.folder / f"{number}.gguf")
        house.home.mkdir()
        make(house)
        refused = refusal(house.install, AdapterError)
        assert type(refused) is expected, f"{name}: {refused!r}"
        assert words in str(refused), f"{name}: {refused}"
        assert house.kept() == [], name
        seen[type(refused).__name__] += 1
    return ", ".join(f"{count} {name}" for name, count in sorted(seen.items()))


FILES = (
    Promise(
        name="bases",
        part=PART,
        claim="A base whose bytes were changed ends no process but the one that tries it, and is never served as the"
        " one that was recorded, though its size, its inode and its time of writing are as before.",
        unit="mutated bases",
        full=10_000,
        check=changed_bases,
    ),
    Promise(
        name="adapters",
        part=PART,
        claim="An adapter whose bytes were changed is not applied; offered as a new one, it is refused by name, or is"
        " sound.",
        unit="mutated adapters",
        full=2_000,
        check=changed_adapters,
    ),
    Promise(
        name="bad-adapters",
        part=PART,
        claim="Every kind of bad adapter gets its own error, with the next step, and stays outside.",
        unit="kinds of bad adapters",
        full=len(BAD),
        check=bad_adapters,
        least=len(BAD),
    ),
)
