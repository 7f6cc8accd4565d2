"""The local model and the embedder: the one room that knows llama.cpp.

The C interface is called directly: it alone lets us build prompts from token ids, read logits without a
copy, and stop in the middle of a prompt. One `LocalModel` belongs to one thread: four threads on one context
abort the process. A `BatchedModel` (`local.batch`, which only the daemon's engine opens) answers many at once, from a
thread of its own.
"""

from shammah.generation import Facts
from shammah.local.embedder import Embedder
from shammah.local.model import LocalModel
from shammah.local.native import can_offload
from shammah.window import CONTEXT_STEP

__all__ = ["CONTEXT_STEP", "Embedder", "Facts", "LocalModel", "can_offload"]
