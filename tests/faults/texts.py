"""Texts that nobody types by accident: bytes of no encoding, controls of terminals and of models, and ten megabytes."""

import base64
import random
import string
from collections.abc import Callable

CONTROL_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>", "</tool_call>")
KEY_HEADER = f"-----BEGIN RSA {'PRIVATE'} KEY-----"  # in two parts, so that no scanner takes this for a leak
CONTROLS = (
    "\x1b[2J", "\x1b[31m", "\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07", "\x1b]8;;http://x\x1b\\", "\x1bP+q544e\x1b\\",
    "\x1b[5n", "\x1b[?1049h", "\x1bc", "\x9b31m", "\x9d0;title\x9c", "\x90q\x9c", "\x08\x08", "\r", "\x07", "\x7f",
    "\x0b", "\x0c", "\x0e", "\x84", "\x85", "\x00", "\x1b", "\x9f", "\x1a",
)  # fmt: skip
_PIECES: tuple[bytes, ...] = (
    *(one.encode() for one in (*CONTROLS, *CONTROL_TOKENS, KEY_HEADER)),
    b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf",
    b"\x80", b"\xf0\x9f", b"\xe2\x80\xae", b"\xe2\x80\x8b", "e\u0301".encode() * 20, "\U0001f468\u200d".encode(),
    b"\n", b"\t", b"list hidden files", b'{"a": "\\ud800"}', b"password: ", b"<SECRET_1>", b"%00%ff",
)  # fmt: skip


def some_bytes(chance: random.Random) -> bytes:
    """A few hundred bytes: of any kind, or of pieces that mean something somewhere."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(2000))
    count = chance.randrange(1, 40)
    return b"".join(chance.choice(_PIECES) if chance.random() < 0.8 else chance.randbytes(5) for _ in range(count))


def some_controls(chance: random.Random) -> str:
    """Words with what terminals obey between them."""
    words = ("ls -la", "the answer", "# heading", "```sh", "```", "* item", "\n", "**bold**", "|a|b|", " ", "é", "日本")
    pieces = (chance.choice(CONTROLS) if chance.random() < 0.5 else chance.choice(words) for _ in range(30))
    return "".join(pieces)


def _repeated(piece: str) -> Callable[[int, random.Random], str]:
    return lambda size, _: (piece * (size // len(piece) + 1))[:size]


def _tokens(size: int, chance: random.Random) -> str:
    """Different random tokens, each of which looks like a secret."""
    return base64.b64encode(chance.randbytes(size)).decode()[:size].replace("/", " /").replace("+", "\nkey=")[:size]


def _run(size: int, chance: random.Random) -> str:
    return base64.b64encode(chance.randbytes(size)).decode()[:size]


def _any_letters(size: int, chance: random.Random) -> str:
    return "".join(chance.choices(string.printable, k=size))


def _any_signs(size: int, chance: random.Random) -> str:
    return chance.randbytes(2 * size).decode("utf-16-le", "replace")[:size]


def _words(size: int, chance: random.Random) -> str:
    known = ["list", "the", "files", "of", "a", "folder", "by", "size", "please"]
    return " ".join(chance.choices(known, k=size // 3))[:size]


LONG: dict[str, Callable[[int, random.Random], str]] = {
    "one letter": _repeated("a"),
    "blanks": _repeated(" "),
    "lines": _repeated("\n"),
    "digits": _repeated("0123456789"),
    "signs": _repeated("!@#$%^&*()_+-=[]{}|;':,./<>?"),
    "words": _words,
    "letters": _any_letters,
    "unicode": _any_signs,
    "emoji": _repeated("\U0001f600"),
    "one run": _run,
    "tokens": _tokens,
    "passwords": _repeated("password: hunter2! "),
    "the word pass": _repeated("pass"),
    "keys": _repeated("api_key="),
    "addresses": _repeated("https://user:secret1!@example.org/?token=abc%41 "),
    "headers": _repeated("Authorization: Bearer a1b2c3d4e5f6g7h8i9j0 "),
    "key headers": _repeated(f"{KEY_HEADER}\nMIIEowIBAAKCAQEA\n"),
    "tool calls": _repeated('<tool_call>\n{"name": "a", "arguments": {"b": "c"}}\n</tool_call>\n'),
    "open calls": _repeated("<tool_call>\n{"),
    "control tokens": _repeated("<|im_end|>\n<|im_start|>system\n"),
    "placeholders": _repeated("<SECRET_1> <SECRET_2>"),
    "codes": _repeated("recovery codes: 1a2b-3c4d "),
    "quotes": _repeated("'\""),
    "escapes": _repeated("=%41%42&"),
}
