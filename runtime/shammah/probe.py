"""Open an unknown model in this process, which may die of it: `python -m shammah.probe FILE [ADAPTER]...`.

Before llama.cpp sees it, every weight is looked at.

Prints the model's name and architecture as JSON. Malformed files abort the process that opens them
(GGML_ASSERT on duplicate tokens, absurd block counts, a NaN epsilon), so another one does it first.
"""

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shammah.errors import AdapterError, BadModel
from shammah.local import LocalModel, can_offload
from shammah_convert.inspect import check_values
from shammah_convert.job import AdapterFile
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BadBase
from shammah_convert.split import parts_of

SPARE_BYTES = 8 * 2**30
CPU_SECONDS = 240


def main(arguments: Sequence[str] | None = None) -> int:
    """Probe the model named first, with the adapters named after it; 0 where they run."""
    first, *others = sys.argv[1:] if arguments is None else arguments
    file, adapters = Path(first), [AdapterFile(path, path, sha256="") for path in others]
    _limit(file)
    try:
        check_values(OpenBase(file))
        with LocalModel(file, gpu_layers=0) as model:
            model.apply(adapters)
            if not np.isfinite(model.logits([0])).all():
                raise BadModel("its logits are not finite")
            print(json.dumps({"name": model.facts.name, "architecture": model.facts.architecture}))  # noqa: T201
    except (AdapterError, BadModel, BadBase) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _limit(file: Path) -> None:
    """Bound CPU time and memory, and write no core file; a GPU driver needs its address space unbounded."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if sys.platform == "linux" and not can_offload():
        most = 2 * sum(part.stat().st_size for part in parts_of(file)) + SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    sys.exit(main())
