"""Checkpoints: heads, active adapters and metrics as they were, to go back to.

A checkpoint is a folder of files that are only ever replaced, as second names of them where the file system can. It is
whole on the disk before the journal names it. Going back deletes nothing: the journal records which lessons the heads
learn from, and the state before is a checkpoint too.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shammah import adapters, aside, locks, metrics
from shammah.errors import AdapterError, CheckpointError
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.journal.checkpoints import CHECKPOINT_QUESTIONS
from shammah.learning import Heads, Kept, link_or_copy
from shammah.records.adapters import Adapter
from shammah.records.heads import Checkpoint, View
from shammah.sight import HEAD_NAMES, HeadName
from shammah_convert.failpoints import reach
from shammah_convert.files import publish, sync
from shammah_convert.job import AdapterFile

MOST = 5
"""So many of a base are kept."""
MANIFEST = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a checkpoint holds.

    Attributes:
        active: The adapters that were applied, with their scales.
        adapters: What the journal knew of each; the file beside has the same sha256.
        metrics: The newest line of the metrics; None where there was none.
    """

    heads: dict[HeadName, Kept]
    active: ActiveSet
    adapters: tuple[Adapter, ...]
    metrics: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Keeper:
    """Whoever makes the checkpoints of a base, and goes back to them."""

    home: Path
    journal: Journal
    heads: Heads
    lineage: str

    def is_due(self) -> bool:
        """Whether a hundred is full since the last checkpoint."""
        last = next(iter(self.journal.checkpoints.all(self.lineage)), None)
        return self.journal.count(self.lineage) // CHECKPOINT_QUESTIONS > (
            last.questions // CHECKPOINT_QUESTIONS if last else 0
        )

    def make(self, why: str) -> Checkpoint:
        """Make a checkpoint of what is now; the oldest beyond those that are kept is removed.

        Raises:
            CheckpointError: It cannot be written.
        """
        with self._alone():
            made = self._make(why)
            self._prune()
        return made

    def roll_back(self, checkpoint: Checkpoint) -> Checkpoint:
        """Go back to a checkpoint: its heads and adapters serve from the next answer on; what undoes that.

        Raises:
            CheckpointError: It is damaged, another adapter has the name of one of its own, or the disk is full.
        """
        with self._alone():
            contents = self._whole(checkpoint)
            before = self._make(f"before the rollback to {checkpoint.number}")
            names = {one.name: self._bring_back(one, Path(checkpoint.folder)).name for one in contents.adapters}
            active = tuple((names.get(name, name), scale) for name, scale in contents.active)
            self._switch(checkpoint, replace(contents, active=active))
            self._prune()
        return before

    def _whole(self, checkpoint: Checkpoint) -> Contents:
        """What a checkpoint holds; a damaged one is set aside, and none to go back to any more.

        Raises:
            CheckpointError: It is damaged, or cannot be looked at.
        """
        try:
            contents = read(checkpoint)
            for one in contents.adapters:
                adapters.verify(AdapterFile(one.name, str(_kept_in(checkpoint, one)), one.sha256))
        except (CheckpointError, AdapterError) as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
                raise
            kept = aside.move(Path(checkpoint.folder))
            self.journal.checkpoints.forget(checkpoint)
            where = f"it is set aside as {kept}" if kept else "it is forgotten"
            raise CheckpointError(f"{error}; {where}, and nothing was changed") from error
        return contents

    def _switch(self, checkpoint: Checkpoint, contents: Contents) -> None:
        """Let the journal say what holds, then put the heads in place; a kill in between leaves them to be learnt."""
        why = f"checkpoint {checkpoint.number}"
        views: dict[str, View] = {name: self._view(name, kept) for name, kept in contents.heads.items()}
        self.journal.checkpoints.go_back(self.lineage, views, contents.active, why)
        for name, kept in contents.heads.items():
            self.heads.bring_back(name, Path(checkpoint.folder) / kept.file if kept.file else None)
            reach("rollback.after_head")

    def _view(self, name: HeadName, kept: Kept) -> View:
        return kept.view.cut(kept.cursor, self.journal.lessons.last(name, self.lineage))

    def _make(self, why: str) -> Checkpoint:
        number = self.journal.checkpoints.next_number()
        folder = self._folder / str(number)
        partial = folder.with_name(f"{number}.partial")
        for left in (folder, partial):  # by whoever was killed before the row
            shutil.rmtree(left, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        self._fill(partial)
        reach("checkpoint.before_name")
        partial.replace(folder)
        reach("checkpoint.after_name")
        sync(self._folder)
        questions = self.journal.count(self.lineage)
        return self.journal.checkpoints.record(number, self.lineage, questions, why, str(folder))

    def _fill(self, folder: Path) -> None:
        """Write every file of a checkpoint, and wait until all are on the disk."""
        active = self.journal.adapters.active(self.lineage)
        found = [self.journal.adapters.find(name) for name, _ in active]
        kept = tuple(adapter for adapter in found if adapter is not None and Path(adapter.path).is_file())
        for adapter in kept:
            link_or_copy(Path(adapter.path), folder / Path(adapter.path).name)
        heads = {name: self.heads.keep(name, folder) for name in HEAD_NAMES}
        file = metrics.file(self.home)
        if file.is_file():  # it grows, so that a second name would grow too
            shutil.copyfile(file, folder / file.name)
        contents = {
            "heads": {name: asdict(one) for name, one in heads.items()},
            "active": active,
            "adapters": [asdict(adapter) for adapter in kept],
            "metrics": metrics.last(self.home, self.lineage),
        }
        (folder / MANIFEST).write_text(json.dumps(contents, indent=1), "utf-8")
        reach("checkpoint.before_sync")
        for path in (*folder.iterdir(), folder):
            sync(path)

    def _bring_back(self, adapter: Adapter, folder: Path) -> Adapter:
        """Have an adapter of a checkpoint in the home, where it was deleted or damaged; it as it is called now."""
        path, kept = Path(adapter.path), folder / Path(adapter.path).name
        known = self.journal.adapters.find(adapter.name)
        if known is None or known.sha256 != adapter.sha256:  # it may have got another name
            known = self.journal.adapters.of_file(adapter.sha256, adapter.base) or known
        if known is not None and known.sha256 != adapter.sha256:
            raise CheckpointError(
                f"there is another adapter {adapter.name} now", hint=f"Delete it: shammah adapters delete {known.name}"
            )
        if not path.is_file() or adapters.hash_of(path) != adapter.sha256:
            partial = path.with_name(path.name + ".partial")
            partial.unlink(missing_ok=True)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            link_or_copy(kept, partial)
            publish(partial, path)
        if known is None:
            self.journal.adapters.add(adapter)
        return known or adapter

    def _prune(self) -> None:
        for old in self.journal.checkpoints.all(self.lineage)[MOST:]:
            self.journal.checkpoints.forget(old)
        named = {Path(kept.folder).name for kept in self.journal.checkpoints.all()}
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in named and aside.MARK not in folder.name:
                reach("checkpoint.before_deletion")
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return self.home / "checkpoints"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time; a killed one lets go."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locks.waited_for(self._folder / "lock"):
                yield
        except OSError as error:
            raise CheckpointError(
                f"the checkpoint cannot be written: {error}",
                hint="Check the free space and the rights of the folder SHAMMAH_HOME (default ~/.shammah).",
            ) from error


def read(checkpoint: Checkpoint) -> Contents:
    """What a checkpoint holds.

    Raises:
        CheckpointError: Its files are gone or damaged.
    """
    try:
        found = json.loads((Path(checkpoint.folder) / MANIFEST).read_text("utf-8"))
        heads = {name: _kept(found["heads"][name]) for name in HEAD_NAMES}
        active = tuple((str(name), float(scale)) for name, scale in found["active"])
        return Contents(heads, active, tuple(Adapter(**one) for one in found["adapters"]), found["metrics"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"checkpoint {checkpoint.number} cannot be read: {error}") from error


def _kept(found: dict[str, Any]) -> Kept:
    view = found["view"]
    spans: Sequence[Sequence[Any]] = view["spans"]
    return Kept(found["file"], found["cursor"], View(view["number"], tuple((a, b) for a, b in spans), view["inherits"]))


def _kept_in(checkpoint: Checkpoint, adapter: Adapter) -> Path:
    """An adapter's file in a checkpoint."""
    return Path(checkpoint.folder) / Path(adapter.path).name


def size_bytes(checkpoint: Checkpoint) -> int:
    """Of its files, also those that share their place on the disk with others."""
    return sum(entry.stat().st_size for entry in os.scandir(checkpoint.folder))
