"""How the daemon opens its engine."""

from pathlib import Path

from shammah import embedding
from shammah.config import Settings
from shammah.records import Base
from shammah.serve.remote import Engine


def open_engine(settings: Settings, base: Base, threads: int) -> Engine:
    """The model and the embedder of a daemon.

    Raises:
        ShammahError: The model cannot be opened.
    """
    layers = settings.model.gpu_layers
    return Engine(Path(base.path), threads, None if layers == "auto" else layers, embedding.ready(settings.home))
