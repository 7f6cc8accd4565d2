"""What reaches the disk in which order: every fsync, rename and deletion by Python, as it happens."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

Event = tuple[str, str]


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """From now on, ("sync" | "rename" | "unlink", the file's name) is appended; renames by their target."""
    events: list[Event] = []
    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def sync(descriptor: int) -> None:
        events.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def rename(source: Any, target: Any, **more: Any) -> None:
        events.append(("rename", Path(target).name))
        replace(source, target, **more)

    def delete(path: Any, **more: Any) -> None:
        events.append(("unlink", Path(path).name))
        unlink(path, **more)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    monkeypatch.setattr(os, "unlink", delete)
    return events


def published(folder: Path, *names: str) -> list[Event]:
    """Files in their order: each is whole on the disk, gets its name, and the name is on the disk."""
    return [event for name in names for event in (("sync", f"{name}.partial"), ("rename", name), ("sync", folder.name))]


def without_missing(events: Sequence[Event]) -> list[Event]:
    """Deletions of half files that were never there say nothing."""
    return [event for event in events if not (event[0] == "unlink" and event[1].endswith(".partial"))]
