"""One side of the training benchmark, in a process of its own: `python -m bench.train_step SIDE FILE ...`.

Both sides take the same steps with peft's LoRA on the same file: `packed` is Shammah's trainer, `bf16` and `float32`
are what everybody else does, the file unpacked. Steps are taken when a line arrives on stdin, so that two
sides can take turns; each answers with the seconds that it took, how many of them passed before the step began (at the
first: until all was imported and open), and its loss.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

STARTED = time.time()
RANK, ALPHA, SEED = 16, 32.0, 0
SIDES = ("packed", "bf16", "float32", "transformers")

Step = Callable[[], float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Open the model, say how long the first step came after the process began, and step on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-checkpoints", action="store_true", help="keep every activation")
    parser.add_argument("--workspace", type=int, default=0, help="values that the packed side keeps unpacked")
    parser.add_argument("--thrifty", action="store_true", help="let the allocator keep nothing")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    if options.side == "packed":
        _import_as_the_trainer()
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    step = _packed(options) if options.side == "packed" else _unpacked(options)
    _tell(step, STARTED, options.device)
    for _ in sys.stdin:
        _tell(step, time.time(), options.device)


def _import_as_the_trainer() -> None:
    """What `python -m shammah_trainer` imports, and how."""
    from shammah_trainer.importing import lean

    with lean():
        from shammah_trainer import fit, progress, session  # noqa: F401


def _tell(step: Step, since: float, device: str) -> None:
    import torch

    processor, ready = time.process_time(), time.time() - since
    loss = step()
    seconds, processor = time.time() - since, time.process_time() - processor
    print(
        json.dumps(
            {
                "seconds": seconds,
                "ready_seconds": ready,
                "processor_seconds": processor,
                "loss": loss,
                "peak_bytes": peak_bytes(),
                "gpu_bytes": _gpu(torch, device),
            }
        )
    )
    sys.stdout.flush()


def peak_bytes() -> int:
    """The most memory that this process ever had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _gpu(torch: Any, device: str) -> int:
    return int(torch.cuda.max_memory_allocated()) if device.startswith("cuda") else 0


def _tokens(options: argparse.Namespace, rows: int) -> Any:
    import torch

    return torch.randint(300, min(rows, 100_000), (1, options.tokens), generator=torch.Generator().manual_seed(1))


def _optimizer(model: Any) -> Any:
    import torch

    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.0)


def _packed(options: argparse.Namespace) -> Step:
    import torch

    from shammah_trainer import lora, machine
    from shammah_trainer.base import Compute, open_base
    from shammah_trainer.dataset import Batch
    from shammah_trainer.losses import tell

    if options.thrifty:
        machine.return_memory_at_once()
    device = torch.device(options.device)
    compute = Compute(torch.bfloat16, device, options.workspace, options.threads)
    base = open_base(options.file, compute)
    model = lora.attach(base.model, RANK, ALPHA, not options.no_checkpoints)
    optimizer = _optimizer(model)
    tokens = _tokens(options, base.model.config.vocab_size).to(device)
    batch = Batch(tokens, tokens, torch.ones_like(tokens, dtype=torch.bool))

    def step() -> float:
        loss = tell(model, batch).nats.mean()
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def _unpacked(options: argparse.Namespace) -> Step:
    from peft import LoraConfig, get_peft_model

    from shammah_convert.lora import TARGETS

    model = _as_transformers_opens_it(options) if options.side == "transformers" else _unpacked_by_ggml(options)
    model.requires_grad_(False)
    peft_config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(TARGETS), task_type="CAUSAL_LM")
    if not options.no_checkpoints:
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    model = get_peft_model(model, peft_config).train()
    optimizer = _optimizer(model)
    tokens = _tokens(options, model.config.vocab_size).to(options.device)

    def step() -> float:
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def _unpacked_by_ggml(options: argparse.Namespace) -> Any:
    """The quickest way there is: our own reader, and ggml."""
    import torch

    from shammah_convert.opened import OpenBase
    from shammah_trainer.base import empty_model

    file, dtype = OpenBase(options.file), torch.float32 if options.side == "float32" else torch.bfloat16
    with torch.device("meta"):
        model = empty_model(file.config, file.rows)
    for name in file.names():
        module, _, kind = name.rpartition(".")
        values = torch.from_numpy(file.tensor(name)).to(options.device, dtype)
        setattr(model.get_submodule(module), kind, torch.nn.Parameter(values, requires_grad=False))
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config).to(options.device)
    return model


def _as_transformers_opens_it(options: argparse.Namespace) -> Any:
    """What its documentation says to do with a GGUF."""
    import torch
    from transformers import AutoModelForCausalLM

    folder, name = options.file.parent, options.file.name
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.bfloat16).to(options.device)


if __name__ == "__main__":
    main()
