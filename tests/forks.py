"""Trainers forked from one process that has imported everything: each would take four seconds to import it again."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from shammah_trainer.__main__ import main

SECONDS_TO_END = 200.0


def fork(target: Callable[..., int | None], *arguments: object, **environment: str) -> BaseProcess:
    """Start a process that calls a function of a module, and ends at once with what that returns as its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["shammah_trainer.session", "shammah_trainer.alarm"])
    child = context.Process(target=_call, args=(target, arguments, environment))
    child.start()
    return child


def fork_trainer(folder: Path, *options: str, **environment: str) -> BaseProcess:
    """Start what `python -m shammah_trainer` runs, for the job of a folder."""
    return fork(main, [os.fspath(folder), *options], **environment)


def codes(children: Sequence[BaseProcess]) -> list[int | None]:
    """The exit codes of processes as they end; a signal counts below zero, and None has not ended in minutes."""
    try:
        for child in children:
            child.join(SECONDS_TO_END)
        return [child.exitcode for child in children]
    finally:
        end(children)


def end(children: Sequence[BaseProcess]) -> None:
    """Leave no process behind."""
    for child in children:
        child.kill()
        child.join()


def _call(target: Callable[..., int | None], arguments: Sequence[object], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    os._exit(target(*arguments) or 0)  # as the trainer does
