"""Tokens a second of `LocalModel.stream`, beside a bare llama_decode loop in the same process."""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp as ll
import numpy as np

from bench.ask import QUESTION
from bench.measure import Row, alternate, watching
from shammah.generation import Sampling
from shammah.local import LocalModel
from shammah_convert.chat import Message


class Bare:
    """The least that decodes greedily: no text, no log-probabilities, no end token."""

    def __init__(self, path: Path, context_tokens: int, threads: int) -> None:
        self.model = ll.llama_model_load_from_file(os.fsencode(path), ll.llama_model_default_params())
        parameters = ll.llama_context_default_params()
        parameters.n_ctx = context_tokens
        parameters.n_batch = parameters.n_ubatch = min(512, context_tokens)
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.no_perf = True
        self.context = ll.llama_init_from_model(self.model, parameters)
        self._n_vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model))

    def seconds(self, prompt: list[int], tokens: int) -> float:
        """From the first token of an answer to its last."""
        ll.llama_memory_clear(ll.llama_get_memory(self.context), True)
        self._decode(prompt)
        token = self._likeliest()
        start = time.perf_counter()
        for _ in range(tokens - 1):
            self._decode([token])
            token = self._likeliest()
        return time.perf_counter() - start

    def close(self) -> None:
        """Give the memory back."""
        ll.llama_free(self.context)
        ll.llama_model_free(self.model)

    def _decode(self, tokens: list[int]) -> None:
        array = (ll.llama_token * len(tokens))(*tokens)
        if ll.llama_decode(self.context, ll.llama_batch_get_one(array, len(tokens))) != 0:
            raise RuntimeError("llama_decode failed")

    def _likeliest(self) -> int:
        logits = np.ctypeslib.as_array(ll.llama_get_logits_ith(self.context, -1), shape=(self._n_vocabulary,))
        return int(logits.argmax())


def measure(name: str, model_file: Path, max_tokens: int, rounds: int, threads: int, least: float) -> Row:
    """Our tokens/s by the bare loop's, where at least `least` is aimed at; a round is many answers of a small model."""
    messages, sampling = [Message("user", QUESTION)], Sampling(max_tokens)
    with LocalModel(model_file, threads) as model, watching() as others:
        tokens = sum(chunk.logprob is not None for chunk in model.stream(messages, sampling))
        assert tokens > 1, f"{tokens} tokens show no speed"
        repeats = max(1, 256 // tokens) if model.facts.parameters < 100e6 else 1
        prompt = model.prompt_tokens(messages)
        with _bare(model_file, model) as bare:
            pairs = alternate(
                lambda: (
                    repeats * (tokens - 1) / sum(stream_seconds(model, messages, sampling)[1] for _ in range(repeats))
                ),
                lambda: repeats * (tokens - 1) / sum(bare.seconds(prompt, tokens) for _ in range(repeats)),
                rounds,
            )
    return Row(
        name=f"decode, {name}",
        value=pairs.ratio,
        low=min(pairs.ratios),
        high=max(pairs.ratios),
        unit="x",
        aim=f">= {least:g}",
        is_reached=pairs.ratio >= least,
        detail=f"{statistics.median(pairs.ours):.0f} beside {statistics.median(pairs.theirs):.0f} tokens/s",
        others=others.cores,
    )


@contextmanager
def _bare(file: Path, like: LocalModel) -> Iterator[Bare]:
    bare = Bare(file, like.context_tokens, like.threads)
    try:
        yield bare
    finally:
        bare.close()


def stream_seconds(model: LocalModel, messages: list[Message], sampling: Sampling) -> tuple[int, float]:
    """How many tokens an answer has, and the time from the first to the last, as a caller sees them."""
    times: list[float] = []
    chunks: Any = model.stream(messages, sampling)
    for chunk in chunks:
        if chunk.logprob is not None:
            times.append(time.perf_counter())
    return len(times), times[-1] - times[0]
