"""Chat templates that files bring along: read for a few words, and never rendered."""

import random
import time
from pathlib import Path

from shammah.generation import Sampling, collect
from shammah.local import LocalModel
from shammah_convert.chat import Message
from shammah_convert.opened import OpenBase
from tests.faults.promise import Promise, Trials
from tests.tiny import write_tiny

QUESTION = [Message("user", "how do i list files")]
TOKENS = 8
MOST_SECONDS = 20.0
PLAIN = "{{ messages }}"
DEEP = 40


def templates(trials: Trials) -> str:
    """Open models with hostile templates and let them answer as the same weights do with a plain one."""
    seed, mark = random.Random(trials.seed), trials.folder / "rendered"
    _, wanted = answer(write_tiny(trials.folder / "plain.gguf", template=PLAIN))
    longest = 0.0
    for number in range(trials.count):
        template = hostile(seed, mark)
        seconds, said = answer(write_tiny(trials.folder / f"{number}.gguf", template=template))
        assert said == wanted, template[:200]
        assert seconds < MOST_SECONDS, f"{seconds:.1f} s: {template[:200]}"
        assert not mark.exists(), template[:200]
        longest = max(longest, seconds)
        (trials.folder / f"{number}.gguf").unlink()
    return f"{longest:.2f} s at most"


def answer(path: Path) -> tuple[float, tuple[list[int], str]]:
    """How long it takes to open a model and hear it, the tokens that it reads, and what it says."""
    started = time.monotonic()
    assert OpenBase(path).chat_format.default_system is None
    with LocalModel(path, threads=1, gpu_layers=0) as model:
        said = model.prompt_tokens(QUESTION), collect(model.stream(QUESTION, Sampling(TOKENS))).text
    return time.monotonic() - started, said


def hostile(seed: random.Random, mark: Path) -> str:
    """A template that hangs, runs something, fills the memory, or cannot be parsed."""
    many = seed.randint(10**6, 10**9)
    loops = "".join(f"{{% for a{depth} in range({many}) %}}" for depth in range(seed.randint(1, DEEP)))
    command = f"cycler.__init__.__globals__.os.system('touch {mark}')"
    return seed.choice(
        (
            f"{loops}x{'{% endfor %}' * loops.count('{%')}",
            f"{{{{ {command} }}}}",
            f"{{% macro m() %}}{{{{ m() }}}}{{{{ m() }}}}{{% endmacro %}}{{{{ m() }}}}{{{{ {command} }}}}",
            f"{{{{ 'x' * {many} * {many} }}}}",
            "{%" * seed.randint(1, 100_000),
            "{{ " + "(" * seed.randint(1, 50_000),
            "\0" * seed.randint(1, 100) + f"{{{{ {command} }}}}",
            f"{{% include '{mark}' %}}{{% import '/etc/passwd' as x %}}{{{{ {command} }}}}",
            "x" * seed.randint(1, 4_000_000),
            "",
        )
    )


TEMPLATES = (
    Promise(
        name="templates",
        part="Files",
        claim="A chat template that a model brings along is never rendered: whatever stands in it, the model reads the"
        " same tokens and says the same.",
        unit="hostile templates",
        full=500,
        check=templates,
    ),
)
