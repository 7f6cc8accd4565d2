"""A checkpoint: all that a training's steps change, in one safetensors file that knows when it is damaged."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import torch
from peft import PeftModel
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from shammah_convert.files import whole
from shammah_convert.job import Job
from shammah_trainer import lora
from shammah_trainer.dataset import Row

_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.uint8: "U8"}
_CHANCE, _TORCH = "chance", "torch"
_FACTS, _KEY, _SHA256 = "reached", "key", "sha256"


class Unusable(ValueError):
    """A checkpoint cannot be opened, is damaged, or another training's; the text says which."""


class Damaged(Unusable):
    """A checkpoint's content is not what was written."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a training is.

    Attributes:
        losses: Nats a token, one for each step that was made.
        best: The least loss of an epoch.
        waited: Epochs since it fell.
        cooled: How often the learning rate was lowered.
        best_held_out: The least loss of an epoch on the teacher's held-out answers.
        waited_held_out: Epochs since that fell.
        seconds: That it took, in all its processes.
        stopped: Why it ended; empty while it goes on.
    """

    losses: tuple[float, ...] = ()
    best: float = math.inf
    waited: int = 0
    cooled: int = 0
    best_held_out: float = math.inf
    waited_held_out: int = 0
    seconds: float = 0.0
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Learner:
    """What a step changes.

    Attributes:
        parameters: By name.
        chance: Which examples are drawn.
        best: The parameters as they were when they did best on what is held out; empty where nothing was.
    """

    parameters: Mapping[str, nn.Parameter]
    optimizer: torch.optim.AdamW
    chance: torch.Generator
    best: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def fresh(cls, model: PeftModel, learning_rate: float, seed: int) -> Self:
        """Before the first step."""
        parameters = lora.named_parameters(model)
        optimizer = torch.optim.AdamW(list(parameters.values()), lr=learning_rate, weight_decay=0.0)
        return cls(parameters, optimizer, torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def remember(self) -> None:
        """Keep the parameters, rounded as the adapter's file will have them, to go back to."""
        self.best.update({name: parameter.detach().half() for name, parameter in self.parameters.items()})

    @torch.no_grad()
    def go_back(self) -> None:
        """Become what was remembered last, if anything was."""
        for name, value in self.best.items():
            self.parameters[name].copy_(value)

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name: parameters, AdamW's state of each, and both random generators."""
        found = {f"lora.{name}": parameter.detach() for name, parameter in self.parameters.items()}
        for name, parameter in self.parameters.items():
            found |= {f"adamw.{kind}.{name}": value for kind, value in self.optimizer.state[parameter].items()}
        found |= {f"best.{name}": value for name, value in self.best.items()}
        return found | {_CHANCE: self.chance.get_state(), _TORCH: torch.get_rng_state()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Become what `tensors` of another learner said.

        Raises:
            Unusable: They are of other parameters.
        """
        shapes = {f"lora.{name}": parameter.shape for name, parameter in self.parameters.items()}
        if shapes != {name: value.shape for name, value in tensors.items() if name.startswith("lora.")}:
            raise Unusable("it holds other matrices")
        state: dict[str, dict[str, Tensor]] = {name: {} for name in self.parameters}
        for full, value in tensors.items():
            if full.startswith("adamw."):
                _, kind, name = full.split(".", 2)
                state[name][kind] = value
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[f"lora.{name}"])
                if (best := tensors.get(f"best.{name}")) is not None:
                    self.best[name] = best.to(parameter.device)
                self.optimizer.state[parameter] = {
                    # AdamW counts its steps on the CPU, wherever the rest is.
                    kind: value if kind == "step" else value.to(parameter.device)
                    for kind, value in state[name].items()
                }
        self.chance.set_state(tensors[_CHANCE])
        torch.set_rng_state(tensors[_TORCH])


def key_of(job: Job, rows: Iterable[Row]) -> str:
    """Which training a checkpoint belongs to: the same job, learning and replaying the same rows.

    Args:
        job: With the rank that is trained.
        rows: What is learnt and replayed, in order; how much of it fits may differ from run to run.
    """
    # How much memory it may take decides how, not what: the rank and the rows that fit are here by themselves.
    plan = asdict(replace(job.plan, most_memory_bytes=0))
    facts = [job.base_sha256, job.examples_sha256, job.seed, plan, job.corrections]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for row in rows:
        digest.update(f"{row.prompt_tokens} {row.tokens}\n".encode())
    return digest.hexdigest()


def write(path: Path, tensors: Mapping[str, Tensor], reached: Reached, key: str) -> None:
    """Write a checkpoint; it appears under its name when it is whole and on the disk.

    safetensors' own writer holds every byte twice, and does not say which error the disk had.

    Raises:
        OSError: It cannot be written, for want of room for one.
    """
    facts = {_FACTS: json.dumps(asdict(reached)), _KEY: key}
    header: dict[str, Any] = {"__metadata__": facts | {_SHA256: _digest(tensors, facts)}}
    end = 0
    for name, value in tensors.items():
        start, end = end, end + value.numel() * value.element_size()
        header[name] = {"dtype": _DTYPES[value.dtype], "shape": list(value.shape), "data_offsets": [start, end]}
    with whole(path) as partial, partial.open("wb") as stream:
        _write(stream, json.dumps(header).encode(), tensors.values())


def read(path: Path, key: str) -> tuple[dict[str, Tensor], Reached]:
    """Read a checkpoint of a training.

    Raises:
        Damaged: It is cut off, or its content is not what was written.
        Unusable: It cannot be opened, or belongs to another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
    except PermissionError as error:
        raise Unusable(f"it cannot be opened: {error}") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise Damaged(f"it cannot be read: {error}") from error
    sha256 = metadata.pop(_SHA256, "")
    if _digest(tensors, metadata) != sha256:
        raise Damaged("it is damaged: its content is not what was written")
    if metadata.get(_KEY) != key:
        raise Unusable("it belongs to another training: job, examples, model, plan or rank differ")
    facts = json.loads(metadata[_FACTS])
    return tensors, Reached(**facts | {"losses": tuple(facts["losses"])})


def _write(stream: BinaryIO, header: bytes, tensors: Iterable[Tensor]) -> None:
    """The format: the header's length in 8 bytes, the header, the tensors' bytes."""
    stream.write(len(header).to_bytes(8, "little") + header)
    stream.writelines(_bytes(value) for value in tensors)


def _digest(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> str:
    """sha256 of all that is kept."""
    digest = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}\n".encode())
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def _bytes(value: Tensor) -> memoryview:
    return value.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data
