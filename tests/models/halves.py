"""The seedling's evaluation by two processes: thousands of questions, each of which one thread answers."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from models.seedling.evaluate import GGUF, Report, evaluate
from models.seedling.phrasings import read_cases, read_intents, read_out_of_scope
from shammah.local import LocalModel

PROCESSES = 2
COUNTS = ("asked", "right", "refused_wrongly", "out_of_scope", "refused")


def evaluation() -> Report:
    """What `evaluate` finds on all of the shipped evaluation."""
    with ProcessPoolExecutor(PROCESSES, get_context("forkserver")) as pool:
        parts = list(pool.map(_part, range(PROCESSES)))
    counts = {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
    return Report(**counts, wrong=tuple(wrong for part in parts for wrong in part.wrong))


def _part(first: int) -> Report:
    cases = {intent: questions[first::PROCESSES] for intent, questions in read_cases().items()}
    with LocalModel(GGUF, gpu_layers=0) as model:
        return evaluate(model, read_intents(), cases, read_out_of_scope()[first::PROCESSES])
