"""GGUF to a smaller GGUF, by llama.cpp's own quantizer: `python -m shammah.local.quantizer SOURCE TARGET TYPE THREADS`.

gguf-py writes no K-quants. The quantizer cannot be interrupted, so a process of its own runs it.
"""

import os
import sys

import llama_cpp as ll

from shammah.local.native import native_errors, start_engine

FILE_TYPES = {
    "Q2_K": ll.LLAMA_FTYPE_MOSTLY_Q2_K,
    "Q3_K_S": ll.LLAMA_FTYPE_MOSTLY_Q3_K_S,
    "Q3_K_M": ll.LLAMA_FTYPE_MOSTLY_Q3_K_M,
    "Q3_K_L": ll.LLAMA_FTYPE_MOSTLY_Q3_K_L,
    "IQ4_XS": ll.LLAMA_FTYPE_MOSTLY_IQ4_XS,
    "IQ4_NL": ll.LLAMA_FTYPE_MOSTLY_IQ4_NL,
    "Q4_0": ll.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_K_S": ll.LLAMA_FTYPE_MOSTLY_Q4_K_S,
    "Q4_K_M": ll.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_0": ll.LLAMA_FTYPE_MOSTLY_Q5_0,
    "Q5_K_S": ll.LLAMA_FTYPE_MOSTLY_Q5_K_S,
    "Q5_K_M": ll.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": ll.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q8_0": ll.LLAMA_FTYPE_MOSTLY_Q8_0,
}
"""What llama.cpp quantizes to without measured importances, smallest first."""


def main(source: str, target: str, file_type: str, threads: str) -> int:
    """Quantize a model in F32, F16 or BF16; 0 where it is done, else the reason is on stderr."""
    start_engine()
    parameters = ll.llama_model_quantize_default_params()
    parameters.ftype = FILE_TYPES[file_type]
    parameters.nthread = int(threads)
    code = int(ll.llama_model_quantize(os.fsencode(source), os.fsencode(target), parameters))
    if code != 0:
        print("; ".join(native_errors) or "it does not say why", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
