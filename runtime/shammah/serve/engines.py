"""How the daemon opens its engine."""

from pathlib import Path

from shammah import embedding, openings
from shammah.compatible import opening
from shammah.records.bases import Base
from shammah.serve.place import LOG
from shammah.serve.remote import Engine
from shammah.serve.wire import Setup
from shammah.settings import Settings

LEAST_TOKENS = 16384
"""Of the context that all answers together share, two full ones by default."""


def open_engine(settings: Settings, base: Base) -> Engine:
    """The model and the embedder of a daemon, in a process of their own; of a model that a server runs, the latter.

    Raises:
        EngineRefuses: Native code died of the model, twice; perhaps in another process of this home.
        ShammahError: The model cannot be opened.
    """
    layers, embedder = settings.model.gpu_layers, embedding.ready(settings.home)
    marks, is_ours = openings.folder_of(settings.home), not opening.server_of(base, settings)
    if is_ours:
        openings.check(marks, Path(base.path))
    setup = Setup(
        path=base.path if is_ours else "",
        threads=settings.model.threads,
        gpu_layers=None if layers == "auto" else layers,
        most_tokens=max(LEAST_TOKENS, settings.model.context_tokens),
        embedder="" if embedder is None else str(embedder),
        marks=str(marks) if is_ours else "",
    )
    engine = Engine(setup, settings.home / LOG)
    engine.start()
    return engine
