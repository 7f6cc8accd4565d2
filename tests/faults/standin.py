"""A stand-in for the trainer: real adapters, made beforehand, in no time; guarded as the trainer is."""

import shutil
import sys
from pathlib import Path

import shammah_convert
import shammah_trainer
from shammah.records.bases import Base
from shammah_convert.job import REPORT
from shammah_convert.lora import Card, write_lora
from shammah_convert.shape import BaseConfig
from tests.fake_trainer import FakeTrainer
from tests.lora_files import make_lora

VERSIONS = range(1, 9)
PID = "pid"
"""The file in a job's folder that says which process does it."""

STEPS, PAUSE_SECONDS = 4, 0.02
SCALE = 0.001
"""Of the adapters' values: the seedling answers with them as it does without."""

_SCRIPT = """#!{python} -IS
import json, os, shutil, sys, time
from pathlib import Path
if "-c" in sys.argv:
    sys.exit(0)
sys.path[:0] = {path!r}
from shammah_trainer import guard
guard.end_with_pipe()
folder, made = Path(sys.argv[4]), Path({made!r})
(folder / {pid!r}).write_text(str(os.getpid()))
for step in range({steps}):
    line = dict(event="step", epoch=1, step=step + 1, steps={steps}, loss=1.0, seconds_left=1)
    with (folder / "progress.jsonl").open("a") as stream:
        stream.write(json.dumps(line) + chr(10))
    time.sleep({pause})
for name, source in (("adapter.gguf", f"{{folder.name}}.gguf"), ("report.json", "report.json")):
    shutil.copyfile(made / source, folder / (name + ".partial"))
    os.replace(folder / (name + ".partial"), folder / name)
"""


def write(folder: Path, base: Base, shape: BaseConfig, steps: int = STEPS) -> Path:
    """Write it, with what it brings for the first trainings of a home, and an adapter of no training."""
    folder.mkdir()
    modules = ["model.layers.0.mlp.up_proj"]
    for name, version in [*((f"corrections-v{version}", version) for version in VERSIONS), ("foreign", 1)]:
        file = "foreign" if name == "foreign" else str(version)
        adapter = make_lora(Card(name, base.name, base.sha256, version=version), shape, modules, version, SCALE)
        write_lora(folder / f"{file}.gguf", adapter, shape)
    FakeTrainer().write(folder)
    shutil.copyfile(folder / "scratch" / REPORT, folder / REPORT)
    script = folder / "python"
    packages = [str(Path(package.__path__[0]).parent) for package in (shammah_convert, shammah_trainer)]
    script.write_text(
        _SCRIPT.format(
            python=sys.executable,
            path=packages,
            made=str(folder),
            pid=PID,
            steps=steps,
            pause=PAUSE_SECONDS,
        )
    )
    script.chmod(0o755)
    return script
