"""Files that were changed by a seed: anywhere, and where it hurts."""

import contextlib
import math
import os
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shammah_convert import header
from shammah_convert.header import ARRAY, STRING, Field, Info
from shammah_convert.mapped import MappedFile

WORST = (0, 1, 2, 7, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
NO_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, 0.0, 1e38, 1e-45)
MOST_PIECES = 4


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done to a file.

    Attributes:
        kind: In a word.
        changes: Bytes, and where they are written.
        size: It is cut or filled up to this; None leaves it.
    """

    kind: str
    changes: tuple[tuple[int, bytes], ...] = ()
    size: int | None = None


@dataclass(frozen=True)
class Victim:
    """A sound file, and where in it what stands.

    Attributes:
        start: Of the tensors' bytes.
    """

    file: Path
    whole: bytes
    fields: tuple[Field, ...]
    infos: tuple[Info, ...]
    start: int

    @classmethod
    def of(cls, file: Path) -> "Victim":
        """Read a file."""
        whole = file.read_bytes()
        fields = tuple(header.fields(whole))
        infos = tuple(header.infos(whole, fields[-1].stop))
        first = next(iter(MappedFile(file).tensors.values())).data.nbytes
        assert first, "a tensor has bytes"
        alignment = 32
        return cls(file, whole, fields, infos, -(-infos[-1].stop // alignment) * alignment)

    @contextlib.contextmanager
    def changed(self, mutation: Mutation) -> Iterator[bytes]:
        """The file's bytes while it is changed in place: its inode stays, and its time of writing is set back."""
        times = self.file.stat()
        with self.file.open("r+b") as stream:
            for place, data in mutation.changes:
                stream.seek(place)
                stream.write(data)
            if mutation.size is not None:
                stream.truncate(mutation.size)
        os.utime(self.file, ns=(times.st_atime_ns, times.st_mtime_ns))
        try:
            yield self.file.read_bytes()
        finally:
            with self.file.open("r+b") as stream:
                stream.write(self.whole)
                stream.truncate()
            os.utime(self.file, ns=(times.st_atime_ns, times.st_mtime_ns))


def mutation(victim: Victim, seed: random.Random) -> Mutation:
    """One of all kinds."""
    return seed.choice(KINDS)(victim, seed)


def _bytes(victim: Victim, seed: random.Random) -> Mutation:
    places = [seed.randrange(victim.start) for _ in range(seed.randint(1, MOST_PIECES))]
    return Mutation("header bytes", tuple((place, seed.randbytes(seed.randint(1, 8))) for place in places))


def _count(victim: Victim, seed: random.Random) -> Mutation:
    return Mutation("counts", ((seed.choice((4, 8, 16)), struct.pack("<Q", seed.choice(WORST))),))


def _number(victim: Victim, seed: random.Random) -> Mutation:
    """A field's value, or an array's length."""
    field = seed.choice([one for one in victim.fields if one.kind not in (STRING, ARRAY)])
    letter = header.SCALARS[field.kind]
    if letter in "fd":
        return Mutation(field.name, ((field.value, struct.pack(f"<{letter}", seed.choice(NO_NUMBERS))),))
    size = struct.calcsize(letter)
    return Mutation(field.name, ((field.value, struct.pack("<Q", seed.choice(WORST))[:size]),))


def _length(victim: Victim, seed: random.Random) -> Mutation:
    """How long a text or an array is to be, or of which type."""
    field = seed.choice([one for one in victim.fields if one.kind in (STRING, ARRAY)])
    if field.kind == STRING:
        return Mutation("a text's length", ((field.value, struct.pack("<Q", seed.choice(WORST))),))
    if seed.random() < 0.3:
        return Mutation("an array's type", ((field.value, struct.pack("<I", seed.randrange(14))),))
    return Mutation("an array's length", ((field.value + 4, struct.pack("<Q", seed.choice(WORST))),))


def _kind(victim: Victim, seed: random.Random) -> Mutation:
    field = seed.choice(victim.fields)
    return Mutation("a field's type", ((field.value - 4, struct.pack("<I", seed.randrange(14))),))


def _tensor(victim: Victim, seed: random.Random) -> Mutation:
    """A tensor's place, type or shape."""
    info = seed.choice(victim.infos)
    other = seed.choice((info.offset + 32, seed.choice(victim.infos).offset, seed.choice(WORST)))
    match seed.randrange(3):
        case 0:
            return Mutation("a tensor's place", ((info.stop - 8, struct.pack("<Q", other)),))
        case 1:
            return Mutation("a tensor's type", ((info.stop - 12, struct.pack("<I", seed.randrange(42))),))
        case _:
            return Mutation("a tensor's shape", ((info.stop - 20, struct.pack("<Q", seed.choice(WORST))),))


def _twice(victim: Victim, seed: random.Random) -> Mutation:
    """A piece of the header over another one: texts that come twice."""
    size = seed.randint(4, 24)
    source, target = (seed.randrange(24, victim.start - size) for _ in range(2))
    return Mutation("a piece twice", ((target, victim.whole[source : source + size]),))


def _weights(victim: Victim, seed: random.Random) -> Mutation:
    places = [seed.randrange(victim.start, len(victim.whole) - 8) for _ in range(seed.randint(1, MOST_PIECES))]
    return Mutation("weights", tuple((place, seed.randbytes(seed.randint(1, 8))) for place in places))


def _no_numbers(victim: Victim, seed: random.Random) -> Mutation:
    """NaN, or the largest number, where float16 may stand."""
    place = victim.start + 2 * seed.randrange((len(victim.whole) - victim.start) // 2 - 64)
    return Mutation("no numbers", ((place, seed.choice((b"\x00\x7e", b"\x00\x7c", b"\xff\x7b")) * 64),))


def _cut(victim: Victim, seed: random.Random) -> Mutation:
    size = len(victim.whole)
    return Mutation("another size", size=seed.choice((seed.randrange(size), size - 1, size + seed.randint(1, 4096), 0)))


KINDS: tuple[Callable[[Victim, random.Random], Mutation], ...] = (
    _bytes, _bytes, _count, _number, _number, _length, _kind, _tensor, _twice, _weights, _no_numbers, _cut,
)  # fmt: skip
