"""`shammah ask` as a whole process, beside a bare llama-cpp-python script that answers the same prompt."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Row, alternate, at_most, watching
from shammah.local import CONTEXT_STEP, LocalModel
from shammah_convert.chat import Message

QUESTION = "how do i undo the last commit but keep my changes"
# What a person would write with the library's own high-level class, and nothing else.
PEER = """
import json, sys
from llama_cpp import Llama
job = json.loads(sys.argv[1])
model = Llama(job["model"], n_ctx=job["context"], n_threads=job["threads"], n_threads_batch=job["threads"],
              verbose=False)
out = model.create_completion(job["prompt"], max_tokens=job["max_tokens"], temperature=0.0)
print(json.dumps(out))
"""


@dataclass(frozen=True, slots=True)
class Race:
    """One model and question for both sides.

    Attributes:
        max_tokens: The same bound for both.
        threads: The same number for both.
        home: Shammah's, empty at first.
    """

    model: Path
    max_tokens: int
    threads: int
    home: Path
    question: str = QUESTION


@dataclass(frozen=True, slots=True)
class Run:
    """A child's wall time, its CPU time, and the answer tokens that it made."""

    seconds: float
    cpu_seconds: float
    tokens: int


def measure(name: str, model: Path, max_tokens: int, rounds: int, threads: int, most: float) -> Row:
    """The ratio of whole processes, where at most `most` is aimed at."""
    with tempfile.TemporaryDirectory() as folder, watching() as others:
        race = Race(model, max_tokens, threads, Path(folder))
        first = ask(race)  # it records the model's hash in the empty home
        job = peer_job(race)
        runs: tuple[list[Run], list[Run]] = [], []
        pairs = alternate(
            lambda: _kept(ask(race), runs[0], first).seconds, lambda: _kept(peer(job), runs[1], first).seconds, rounds
        )
    ours, theirs = (statistics.median(side) * 1e3 for side in (pairs.ours, pairs.theirs))
    our_cpu, their_cpu = (statistics.median(run.cpu_seconds for run in side[1:]) * 1e3 for side in runs)
    detail = (
        f"{ours:.0f} beside {theirs:.0f} ms, {first.tokens} tokens; CPU {our_cpu:.0f} beside {their_cpu:.0f} ms"
        f" ({our_cpu / their_cpu:.2f} x)"
    )
    return at_most(f"ask, {name}", pairs, most, detail, others.cores)


def ask(race: Race, **settings: str) -> Run:
    """One question through the command line, with more variables of its environment."""
    flags = ["--model", str(race.model), "--max-tokens", str(race.max_tokens), "--json"]
    variables = environment(race.home) | {"SHAMMAH_MODEL_THREADS": str(race.threads)} | settings
    seconds, cpu, out = _timed([sys.executable, "-m", "shammah", "ask", race.question, *flags], variables)
    # The end token counts among the tokens that we report, and is none of the answer's.
    return Run(seconds, cpu, out["completion_tokens"] - (out["finish_reason"] == "stop"))


def peer(job: dict[str, Any]) -> Run:
    """The same prompt through the bare script."""
    seconds, cpu, out = _timed([sys.executable, "-c", PEER, json.dumps(job)], environment(Path()))
    return Run(seconds, cpu, out["usage"]["completion_tokens"])


def peer_job(race: Race) -> dict[str, Any]:
    """What the bare script needs to do just the work that `ask` does."""
    with LocalModel(race.model) as model:
        prompt = model.prompt_tokens([Message("user", race.question)])
        context = min(len(prompt) + race.max_tokens, model.facts.context_tokens)
    return {
        "model": str(race.model),
        "prompt": prompt,
        "max_tokens": race.max_tokens,
        "context": -(-context // CONTEXT_STEP) * CONTEXT_STEP,
        "threads": race.threads,
    }


def _kept(run: Run, runs: list[Run], first: Run) -> Run:
    if run.tokens != first.tokens:
        raise RuntimeError(f"the sides made {run.tokens} and {first.tokens} tokens: no comparison")
    runs.append(run)
    return run


def _timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, Any]:
    """Wall seconds, CPU seconds, and what the child wrote."""
    start, cpu = time.perf_counter(), children_cpu_seconds()
    child = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if child.returncode != 0:
        raise RuntimeError(f"{command[:4]} ended with {child.returncode}: {child.stderr.strip()[-500:]}")
    return seconds, children_cpu_seconds() - cpu, json.loads(child.stdout)


def children_cpu_seconds() -> float:
    """What all children that have ended took of the processor."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def environment(home: Path) -> dict[str, str]:
    """This process's, without a key and without settings.

    Python's own variables go too: PYTHONDONTWRITEBYTECODE would make each of our modules be compiled every time.
    """
    ours = ("SHAMMAH_", "ANTHROPIC_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"SHAMMAH_HOME": str(home)}
