"""The model that is served, and its change for another one: whoever has begun on the old one ends on it."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from shammah import bases, config, embedding, hardware, memory, stamps
from shammah.admission import Go, Wish
from shammah.assembly import DEFAULT_CONTEXT_TOKENS
from shammah.compatible import cards, opening
from shammah.compatible.watch import AGAIN_SECONDS
from shammah.errors import ModelChanged, ModelMissing, ServedAnew, ServeError, ShammahError
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.serve.bound import ANEW
from shammah.serve.remote import Engine
from shammah.settings import Settings

OpenEngine = Callable[[Settings, Base], Engine]
Load = Callable[[], Settings]
LOOK_SECONDS = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A model that is open."""

    base: Base
    engine: Engine


class Served:
    """The model that is open now.

    Attributes:
        settings: By which it was opened.
    """

    def __init__(self, settings: Settings, open_engine: OpenEngine, load: Load | None = None) -> None:
        """Take the settings, and what reads them again; nothing is opened yet."""
        self.settings = settings
        self._open_engine = open_engine
        self._load = load or (lambda: settings)
        self._opened: Opened | None = None
        self._users: dict[Opened, int] = {}
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._met = time.monotonic()
        self._is_renewing = threading.Lock()

    @property
    def opened(self) -> Opened | None:
        """The model; None while one is being loaded."""
        return self._opened

    def open(self) -> None:
        """Open the model that the settings name.

        Raises:
            ShammahError: It cannot be.
        """
        self._opened = self._open(self.settings)
        self._stamp = (*self._stamp[:2], stamps.Stamp.of(self._opened.base))  # what else has changed is still news

    def check(self, journal: Journal) -> None:
        """See that the file of what is open holds what it held then; else it is being opened anew.

        Raises:
            ModelChanged: It does not.
        """
        opened = self._opened
        if opened is None:
            return
        with contextlib.suppress(ModelMissing):  # the engine has it open
            known = bases.known(journal, Path(opened.base.path))
            if known is None or not _is_same(known, opened.base):
                raise ModelChanged(f"{opened.base.path} was changed since the daemon opened it", hint=ANEW)

    def close(self) -> None:
        """Give back the model."""
        with self._is_renewing:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.engine.stop()

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Keep what is open now open, until this is left."""
        with self._lock:
            opened = self._opened
            if opened is not None:
                self._users[opened] = self._users.get(opened, 0) + 1
        try:
            yield
        finally:
            if opened is not None:
                with self._lock:
                    self._users[opened] -= 1
                    if not self._users[opened]:
                        del self._users[opened]

    def now(self) -> Settings:
        """The settings as they are at this moment, but for the model: that is the one which is open.

        Raises:
            ConfigError: Somebody wrote what is no setting; what it was to be, a private pattern for one, nobody knows.
        """
        return replace(self._load(), model=self.settings.model)

    def meet_server(self) -> None:
        """Where a server runs the model: see now and then which one that is, and count for it what is asked."""
        opened = self._opened
        is_due = time.monotonic() - self._met >= AGAIN_SECONDS
        if opened is None or not is_due or not cards.is_card(Path(opened.base.path)):
            return
        self._met = time.monotonic()  # the others go on meanwhile
        try:
            opening.Place(opened.base, self.settings.model.server.rstrip("/"), self.settings, os.environ).look()
        except ServedAnew as error:
            self._say(f"{error}.")
        except ShammahError:  # whoever asks it hears that
            return
        base = self._identified(self.settings)
        with self._lock:
            if self._opened is opened and base.sha256 != opened.base.sha256:  # the engine has the embedder alone
                self._opened = replace(opened, base=base)

    def _say(self, line: str) -> None:
        _log.info("%s", line)
        with Journal(self.settings.home) as journal:
            journal.notices.add(line)

    def _identified(self, settings: Settings) -> Base:
        with Journal(settings.home) as journal:
            return bases.identify(journal, bases.wanted(settings))

    def look(self) -> None:
        """Go by the settings as they are now; another model, or an embedder that came, is opened in the background."""
        with self._lock:
            if self._opened is None or (now := self._now()) == self._stamp:
                return
            self._stamp = now
        try:
            settings = self._load()
        except ShammahError as error:
            _log.warning("the settings stay as they are: %s", error)
            return
        # Whoever goes offline, or spends less, does so from the next answer on, whatever becomes of the model.
        self.settings = replace(settings, model=self.settings.model)
        threading.Thread(target=self._renew, args=(settings,), name="renewing", daemon=True).start()

    def _renew(self, settings: Settings) -> None:
        """Open what the settings want in the place of what is open; where that fails, it stays."""
        with self._is_renewing:
            try:
                if self._opened is not None and self._is_due(settings):
                    self._replace(settings)
                self.settings = replace(self.settings, model=settings.model)
            except ShammahError as error:
                _log.warning("the model stays as it is: %s", error)

    def _is_due(self, settings: Settings) -> bool:
        opened = self._opened
        assert opened is not None, "only what is open is renewed"
        wanted = str(bases.wanted(settings))
        has_embedder = bool(opened.engine.setup.embedder)
        return (
            wanted != opened.base.path
            or settings.model != self.settings.model
            or (not has_embedder and embedding.ready(settings.home) is not None)
            or _is_changed(settings, opened.base)
        )

    def _replace(self, settings: Settings) -> None:
        old = self._opened
        assert old is not None, "only what is open is renewed"
        if hardware.ram_available_bytes() < 2 * old.base.size:  # both would not fit beside each other
            self._opened = None
            self._retire(old)
            try:
                self._opened = self._open(settings)
            except ShammahError:
                self._opened = self._open(self.settings)
                raise
        else:
            self._opened, self.settings = self._open(settings), settings
            self._retire(old)  # those that come meanwhile are the new one's
        _log.info("%s is served now", self._opened.base.name)

    def _retire(self, old: Opened) -> None:
        """Close a model once nobody uses it."""
        while self._is_used(old):
            time.sleep(LOOK_SECONDS)
        old.engine.stop()

    def _is_used(self, old: Opened) -> bool:
        with self._lock:  # whoever took it just before it was replaced has counted by now
            return any(used.engine is old.engine for used in self._users)

    def _open(self, settings: Settings) -> Opened:
        with Journal(settings.home) as journal:
            base = bases.identify(journal, bases.wanted(settings))
            limit = settings.model.context_tokens or DEFAULT_CONTEXT_TOKENS
            elsewhere = opening.server_of(base, settings)
            wish = Wish("answering", 0 if elsewhere else memory.model_bytes(base, limit))
            if not isinstance(memory.decide(settings.home, journal, wish), Go):
                raise ServeError("the model does not fit into memory beside the training that runs")
        return Opened(base, self._open_engine(settings, base))

    def _now(self) -> tuple[int, bool, stamps.Stamp | None]:
        """What changes where another model may be wanted."""
        try:
            written = config.file_of(self.settings.home).stat().st_mtime_ns
        except OSError:
            written = 0
        return written, embedding.ready(self.settings.home) is not None, _stamp(self._opened)


def _stamp(opened: Opened | None) -> stamps.Stamp | None:
    """What tells that a model's file is as it was; None where there is none."""
    with contextlib.suppress(ModelMissing):
        return None if opened is None else stamps.stamp_of(Path(opened.base.path))
    return None


def _is_changed(settings: Settings, base: Base) -> bool:
    """Whether a model's file holds other bytes by now, or is another file.

    Raises:
        ShammahError: It holds no model, or is still being written.
    """
    with Journal(settings.home) as journal:
        return not _is_same(bases.identify(journal, Path(base.path), _log.info), base)


def _is_same(now: Base, opened: Base) -> bool:
    """Whether a model is the one that was opened, in the very file that is mapped: another may be cut off by now."""
    return (now.sha256, now.inode) == (opened.sha256, opened.inode)
