"""The parts that answer, put together from the settings; heavy rooms are opened when they are needed."""

import os
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shammah import adapters, bases, embedding, memory, openings, quality, teacher
from shammah.compatible import opening, unloading
from shammah.compatible.model import ServerModel
from shammah.divergence import Embed
from shammah.errors import ConfigError, ModelChanged, NotServed, ServedAnew
from shammah.generation import Stop, never
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.open_model import OpenModel, Warm
from shammah.paraphrasing import Paraphraser
from shammah.quality import Contract
from shammah.records.bases import Base, Pull
from shammah.settings import Settings
from shammah.sides import LocalGenerator, LocalSide, TeacherSide
from shammah.tailoring import Tailor, Tailored

if TYPE_CHECKING:
    from shammah.local import LocalModel

# The seedling and small models live well within this; more is asked for with model.context_tokens.
DEFAULT_CONTEXT_TOKENS = 8192


class Parts:
    """Everything that one process needs to answer questions, each made once."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        meter: BusyMeter,
        say: Callable[[str], None] = lambda _: None,
        stop: Stop = never,
        max_teacher_tokens: int | None = None,
        environ: Mapping[str, str] = os.environ,
        warm: Warm | None = None,
    ) -> None:
        """Take the settings; nothing is opened yet.

        Args:
            settings: What the user chose.
            journal: Knows the model files and what is active.
            meter: Tells how many threads are free.
            say: Hears about waits that are worth a word.
            stop: Ends the loading of a model early.
            max_teacher_tokens: Bounds the teacher's answer for this run.
            environ: Where the teacher's key is looked up.
            warm: Has model and embedder open; None opens them here.
        """
        self.settings = settings
        self.journal = journal
        self._meter = meter
        self._say = say
        self._environ = environ
        self._stop = stop
        self._max_teacher_tokens = max_teacher_tokens
        self._warm = warm
        self._model: OpenModel | None = None
        self._embedder: embedding.Lazy | None = None
        self._said: set[str] = set()

    @cached_property
    def base(self) -> Base:
        """The model file, identified."""
        return bases.identify(self.journal, bases.wanted(self.settings, self._environ), self._say)

    @property
    def is_seedling(self) -> bool:
        """Whether the built-in model serves."""
        return bases.is_seedling(Path(self.base.path))

    @property
    def awaited(self) -> Pull | None:
        """The model that is being fetched now, and is to answer in the place of the built-in one."""
        return None if self.settings.model.path else self.journal.pulls.open_one()

    @cached_property
    def access(self) -> teacher.Access | None:
        """How the teacher is reached; None without a key."""
        return teacher.Access.find(self.settings.teacher, self._environ)

    @cached_property
    def heads(self) -> Heads:
        """Router and validator of the base."""
        return Heads(self.settings.home, self.journal, self.base.sha256, self.settings.heads.learner)

    def meet_server(self) -> None:
        """Before something is asked: where the server that is open runs another model by now, that one counts."""
        if not isinstance(self._model, ServerModel):
            return
        try:
            self._model.check()
        except NotServed as error:
            self._say(f"{error}.")
            self._forget_model()

    def _forget_model(self) -> None:
        """Let whoever asks next find out which model it is."""
        self._model = None
        for name in ("base", "heads", "contract"):
            self.__dict__.pop(name, None)

    def adopt(self) -> None:
        """Let a base that is asked for the first time start from what earlier ones taught; looking at it does not."""
        if self.journal.heads.adopt(self.base.sha256) is not None:
            self._say("Another model: its router and validator start from what the earlier one taught, at weight 0.2.")

    @cached_property
    def contract(self) -> Contract | None:
        """The quality contract of the base; None where it is off."""
        return quality.of_base(self.settings, self.journal, self.base.sha256)

    @property
    def limit_tokens(self) -> int:
        """Upper bound of a local model's context."""
        return self.settings.model.context_tokens or DEFAULT_CONTEXT_TOKENS

    def local(self, base: Base | None = None) -> LocalSide:
        """The local side, for the configured base or another recorded one."""
        base = base or self.base
        return LocalSide(
            lineage=base.sha256,
            name=base.name,
            open=lambda: self._open(base),
            limit_tokens=self.limit_tokens,
            is_stand_in=bases.is_seedling(Path(base.path)) and self.awaited is not None,
            is_elsewhere=bool(server := opening.server_of(base, self.settings)),
            is_away=opening.is_away(server),
            verify=lambda: self._verify(base),
        )

    @property
    def server(self) -> str:
        """The address of the server that runs the model; empty where it is opened here."""
        return opening.server_of(self.base, self.settings)

    def memory_bytes(self, base: Base) -> int:
        """What answering takes of this machine."""
        return 0 if opening.server_of(base, self.settings) else memory.model_bytes(base, self.limit_tokens)

    def teacher(self) -> TeacherSide:
        """The teacher's side."""
        settings = self.settings.teacher
        price = teacher.price_of(settings, self._environ)
        generator = teacher.Teacher(self.access, settings, price) if self.access else None
        most = self._max_teacher_tokens or settings.max_tokens
        forbidden = self.settings.privacy.never_forward
        who = teacher.called(settings.model)
        return TeacherSide(generator, price, most, settings.max_usd_per_day, settings.max_usd_per_month, forbidden, who)

    def paraphraser(self) -> Paraphraser | None:
        """Who says corrections in other words; None offline, without a key, or where the teacher cannot be reached."""
        try:
            may_ask = not self.settings.offline and self.access is not None
        except ConfigError as error:  # a training does without
            self._say(f"{teacher.called(self.settings.teacher.model)} cannot be asked: {error}")
            return None
        return Paraphraser(self.journal, self.teacher()) if may_ask else None

    @property
    def is_warm(self) -> bool:
        """Whether somebody keeps the model open, for others too."""
        return self._warm is not None

    @cached_property
    def embed(self) -> Embed | None:
        """The embedder, opened by its first text; None where its file is not there yet."""
        if self._warm is not None:
            return self._warm.embed and lru_cache(maxsize=4)(self._warm.embed)
        file = embedding.ready(self.settings.home)
        if file is None:
            return None
        self._embedder = embedding.Lazy(file)
        return self._embedder.embed

    def meet_embedder(self) -> Embed | None:
        """The embedder, also one whose file was made since somebody asked for it."""
        if self.embed is None:
            del self.embed  # what was found is kept, and nothing is found anew
        return self.embed

    def _open(self, base: Base) -> LocalGenerator:
        """The local model, with what is active where that suits the question, or what its domain has."""
        chosen = self.settings.adapters
        has_domains = chosen.domains != "off" and bool(self.journal.domains.all(base.sha256))
        may_be_far = chosen.min_similarity > 0 and bool(self.journal.adapters.active(base.sha256))
        if not has_domains and not may_be_far:
            return self.open_active(base)
        if self.embed is None:
            if has_domains:
                self._say_once("Domains rest: the sentence embedder is not here. `shammah adapters domain` says how.")
            return self.open_active(base)
        tailor = Tailor(self.journal, base.sha256, chosen.domains, self.embed, chosen.min_similarity)
        return Tailored(self._opened(base), tailor, self._say_once)

    def open_active(self, base: Base) -> OpenModel:
        """The local model with the adapters that are active now; it is loaded once, and they are swapped."""
        model = self._opened(base)
        adapters.apply_active(model, self.journal, base.sha256, self._say_once)
        return model

    def _opened(self, base: Base) -> OpenModel:
        self._verify(base)
        if self._model is None:
            self._model = self._open_new(base)
        return self._model

    def _verify(self, base: Base) -> None:
        """See that a base's file holds what was recorded; one that does not is closed, and forgotten.

        Raises:
            ModelChanged: It does not.
        """
        if self.settings.model.server and opening.server_of(base, self.settings):
            return
        try:
            bases.check_unchanged(self.journal, base, self._say_once)
        except ModelChanged:
            self.close()
            for made in ("base", "heads", "contract"):
                self.__dict__.pop(made, None)
            raise

    def _open_new(self, base: Base) -> OpenModel:
        if server := opening.server_of(base, self.settings):
            return self._open_served(base, server)
        return self._warm.model(base) if self._warm else self.open_bare(base)

    def _open_served(self, base: Base, server: str) -> ServerModel:
        place = opening.Place(base, server, self.settings, self._environ, self._say_once)
        try:
            model = opening.open_served(place, self.limit_tokens)
        except ServedAnew:
            self._forget_model()
            raise
        unloading.at_opening(self.settings, self.journal, model.endpoint)
        return model

    def _say_once(self, line: str) -> None:
        """Say what would be said again before each answer."""
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def open_bare(self, base: Base) -> "LocalModel":
        """A model without adapters, for whoever closes it.

        Raises:
            EngineRefuses: Native code died of it, twice.
            ShammahError: It cannot be opened.
        """
        from shammah.local import LocalModel

        layers, file = self.settings.model.gpu_layers, Path(base.path)
        threads = self.settings.model.threads or self._meter.threads()
        with openings.careful(openings.folder_of(self.settings.home), file, self._say):
            return LocalModel(file, threads, None if layers == "auto" else layers, self._stop)

    def take_model(self, model: OpenModel) -> None:
        """Answer by a model that was opened elsewhere; it is ours to close."""
        assert self._model is None, "a model that is open is not dropped"
        self._model = model

    def give_up_model(self) -> OpenModel | None:
        """The local model, for somebody else to take; None where it was not needed so far."""
        model, self._model = self._model, None
        return model

    def close(self) -> None:
        """Give back the memory of model and embedder; whoever goes on opens them again."""
        if self._model is not None:
            self._model.close()
            self._model = None
        if self._embedder is not None:
            self._embedder.close()

    @property
    def model(self) -> OpenModel | None:
        """The local model, where it was needed so far."""
        return self._model
