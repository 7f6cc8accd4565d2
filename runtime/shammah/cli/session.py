"""The terminal session that a question belongs to."""

import os
import sys


def current() -> str:
    """The same text for all commands of one terminal, and for no other while it is open."""
    return f"{_terminal()}:{os.getsid(0)}"


def _terminal() -> str:
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        try:
            return os.ttyname(stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue
    return "none"
