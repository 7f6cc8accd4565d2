"""The local model and the embedder: the one room that knows llama.cpp.

The C interface is called directly: it alone lets us build prompts from token ids, read logits without a
copy, and stop in the middle of a prompt. One `LocalModel` belongs to one thread: four threads on one context
abort the process.
"""

from shammah.local.embedder import Embedder
from shammah.local.model import CONTEXT_STEP, Facts, LocalModel
from shammah.local.native import can_offload

__all__ = ["CONTEXT_STEP", "Embedder", "Facts", "LocalModel", "can_offload"]
