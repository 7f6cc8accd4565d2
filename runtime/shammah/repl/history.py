"""What was typed before, in a file that is nobody else's: a line of JSON each, secrets replaced."""

import contextlib
import json
from pathlib import Path

MOST = 1000
"""So many of the newest are remembered; the file is cut when it holds twice as many."""


def file_of(home: Path) -> Path:
    """Where a home keeps it."""
    return home / "history.jsonl"


def read(file: Path) -> list[str]:
    """What was typed, oldest first; what cannot be read was never typed."""
    try:
        lines = file.read_text("utf-8", "replace").rstrip("\n").split("\n")
    except OSError:
        return []
    if len(lines) > 2 * MOST:
        with contextlib.suppress(OSError):
            _shorten(file, lines[-MOST:])
    return [text for text in map(_text, lines[-MOST:]) if text]


def keep(file: Path, text: str) -> None:
    """Remember what was typed, with its secrets replaced as the journal does; a full disk costs a memory."""
    from shammah.privacy import Redactor  # the prompt does without its patterns

    line = json.dumps(Redactor().redact(text), ensure_ascii=False) + "\n"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        with file.open("a", encoding="utf-8", errors="replace") as stream:
            stream.write(line)


def _text(line: str) -> str:
    try:
        text = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return text if isinstance(text, str) else ""


def _shorten(file: Path, lines: list[str]) -> None:
    from shammah_convert.files import write_whole

    write_whole(file, "\n".join(lines) + "\n")
    file.chmod(0o600)
