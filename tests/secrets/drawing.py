"""Secrets from their forms: drawn at run time, so that nothing in this repository looks like a leak."""

import random
import re
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass

_ALPHABETS = {
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "url": string.ascii_letters + string.digits + "-_",
    "b64": string.ascii_letters + string.digits + "+/",
    "digits": string.digits,
    "b32": string.ascii_uppercase + "234567",
    "bech": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "base58": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
}
_SENTENCE = (
    "abandon ability absent absorb acid across actor adapt admit adult advice afraid again agent alarm album alert "
    "alien alpha amazing amount anchor ancient angle animal answer apple april arch arena armor arrow artist aspect "
    "asset atom autumn average bacon badge balance banana bargain basket battle beach beauty bicycle blanket "
    "blossom bonus border bottom brave bridge bronze bubble cabin cactus camera candy canvas carbon castle casual "
    "cereal chapter cherry circle citizen clever climb clock coconut coral cotton cradle crystal dolphin dragon "
    "eagle earth elephant ember empower engine estate exotic "
)
_WORDS = _SENTENCE.split()
_NAMES = ["Summer", "Winter", "Berlin", "Dragon", "Monkey", "Arsenal", "Sunshine", "Wombat", "Bluebird", "Kitchen"]
_LEET = str.maketrans("aeiost", "431057")
_FORM = re.compile(r"\[(\w+) (\d+)\]|\((\w+) (\d+)\)")


@dataclass(frozen=True)
class Drawn:
    """A text, and the parts of it that nobody else may see."""

    text: str
    cores: tuple[str, ...]


def draw(form: str, seed: str) -> Drawn:
    """Fill in a form; `[alphabet count]` is secret, `(alphabet count)` is not."""
    chance = random.Random(seed)
    cores: list[str] = []

    def fill(found: re.Match[str]) -> str:
        text = _one(found[1] or found[3], int(found[2] or found[4]), chance)
        if found[1]:
            cores.extend(line for line in text.replace("\\n", "\n").split("\n") if len(line) > 2)
        return text

    text = _FORM.sub(fill, form)
    return Drawn(text, tuple(cores))


def _one(alphabet: str, count: int, chance: random.Random) -> str:
    if alphabet in _ALPHABETS:
        return "".join(chance.choices(_ALPHABETS[alphabet], k=count))
    return _SPECIAL[alphabet](count, chance)


def _uuid(count: int, chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _pem(count: int, chance: random.Random) -> str:
    return "\n".join(_one("b64", 64, chance) for _ in range(count))


def _oneline(count: int, chance: random.Random) -> str:
    return _pem(count, chance).replace("\n", "\\n")


def _hyphened(count: int, chance: random.Random) -> str:
    return "-".join(chance.choices(_WORDS, k=count))


def _words(count: int, chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=count))


def _plain(count: int, chance: random.Random) -> str:
    """A password as people make them, of characters that need no quoting anywhere."""
    name = chance.choice(_NAMES)
    number = str(chance.randrange(10, 2030))
    return chance.choice(
        [
            "".join(chance.choices(_ALPHABETS["alnum"] + "-_.", k=chance.randrange(10, 20))),
            f"{name}{number}",
            f"{name.translate(_LEET)}{number}",
            f"{name.lower()}_{number}",
            f"{name}{chance.choice(_NAMES)}{number}",
        ]
    )


def _password(count: int, chance: random.Random) -> str:
    """The same, with the signs that people put into passwords."""
    kind = chance.randrange(3)
    if kind == 0:
        return "".join(chance.choices(_ALPHABETS["alnum"] + "!@#$%^&*-_=+?", k=chance.randrange(10, 20)))
    if kind == 1:
        return _plain(count, chance) + chance.choice("!?#*")
    return _plain(count, chance)


_SPECIAL: dict[str, Callable[[int, random.Random], str]] = {
    "uuid": _uuid,
    "pem": _pem,
    "oneline": _oneline,
    "hyphened": _hyphened,
    "words": _words,
    "plain": _plain,
    "password": _password,
}
