"""A stand-in for the trainer's interpreter (`trainer.python`): the same files in no time, or what a test wants."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from shammah_convert.job import Change, Probe, Report, Score

BETTER = Change(Score(40, 3.0, 0), Score(40, 0.1, 20))
"""Of so many, none need be exact that llama.cpp is asked about: the stand-in's adapter has learnt nothing."""
UNCHANGED = Change(Score(48, 0.5, 10), Score(48, 0.5, 10))
WORSE = Change(Score(48, 0.5, 10), Score(48, 0.6, 10))

_SCRIPT = """#!{python}
import json, sys, time
from pathlib import Path
if "-c" in sys.argv:
    sys.exit({code_of_look})
sys.path[:0] = {path!r}
import numpy as np
from shammah_convert.job import Job
from shammah_convert.lora import Adapter, Card, write_lora
from shammah_convert.opened import OpenBase
folder = Path(sys.argv[4])
def say(**line):
    with (folder / "progress.jsonl").open("a") as stream:
        stream.write(json.dumps(line) + chr(10))
for step in range({steps}):
    say(event="step", epoch=1, step=step + 1, steps={steps}, loss=1.0, seconds_left=1.0)
    if (folder / "cancel").exists():
        say(event="cancelled", error="it was cancelled")
        sys.exit(3)
    time.sleep({pause})
if {error!r}:
    say(event="failed", error={error!r})
    sys.exit(1)
job, config = Job.read(folder), OpenBase(Path(Job.read(folder).base_path)).config
def matrix(*shape):
    return np.full(shape, {value}, dtype=np.float32)
pairs = {{"model.layers.0.mlp.up_proj": (matrix(2, config.hidden_size), matrix(config.intermediate_size, 2))}}
sha256 = {base_sha256!r} or job.base_sha256
card = Card(job.name, job.base_name, sha256, job.examples_sha256, version=job.version)
write_lora(folder / "adapter.gguf", Adapter(card, config.architecture, 2.0, pairs), config)
(folder / "report.json").write_text({report!r})
"""


@dataclass(frozen=True)
class FakeTrainer:
    """What the stand-in does.

    Attributes:
        steps: It says so many, with a pause of so many seconds after each.
        error: It fails with this.
        value: Of every number in the adapter.
        base_sha256: The adapter says that it was made for this base.
        is_installed: Whether the libraries are said to be there.
    """

    learnt: Change = BETTER
    general: Change = UNCHANGED
    probes: tuple[Probe, ...] = ()
    steps: int = 2
    pause: float = 0.0
    error: str = ""
    value: float = 0.01
    base_sha256: str = ""
    is_installed: bool = True
    tensor_types: tuple[str, ...] = field(default=("F16", "F32"))

    def write(self, folder: Path) -> str:
        """Write the script; its path is the value of `trainer.python`."""
        report = Report(
            self.learnt,
            Change(),
            1,
            2,
            0.1,
            "the script ends",
            self.probes,
            self.tensor_types,
            general=self.general,
            losses=(2.0, 1.0),
        )
        scratch = folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        report.write(scratch)
        script = folder / "python-of-the-trainer"
        script.write_text(
            _SCRIPT.format(
                python=sys.executable,
                path=sys.path,
                code_of_look=0 if self.is_installed else 1,
                report=json.dumps(json.loads((scratch / "report.json").read_text())),
                steps=self.steps,
                pause=self.pause,
                error=self.error,
                value=self.value,
                base_sha256=self.base_sha256,
            )
        )
        script.chmod(0o755)
        return str(script)
