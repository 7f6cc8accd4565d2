"""An answer as it is written: from each step's logits to text, until something ends it."""

import codecs

import numpy as np
from numpy.typing import NDArray

from shammah.generation import ActiveSet, Chunk, End, Finish, Sampling
from shammah.local.grammar import grammar_of
from shammah.local.weights import Weights
from shammah.sampler import Sampler
from shammah.stops import Stops


class Writing:
    """One answer as it is written.

    Attributes:
        written: Tokens so far.
        token: The last of them, to be evaluated next.
        finish: Why it is over; None as long as it is not.
    """

    def __init__(self, weights: Weights, sampling: Sampling, max_tokens: int) -> None:
        """Begin an answer of so many tokens at most.

        Raises:
            BadGrammar: The grammar, or the JSON schema, cannot be used.
        """
        self._weights = weights
        self._rules = grammar_of(weights.vocabulary, sampling)
        self._sampler = Sampler(sampling, weights.powers, self._rules)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = Stops(sampling.stop)
        self._max_tokens = max_tokens
        self.written = 0
        self.token = -1
        self.finish: Finish | None = None if max_tokens > 0 else Finish.LENGTH

    def take(self, logits: NDArray[np.float32]) -> Chunk | None:
        """Choose the next token; its text, and None where it ends the answer.

        Raises:
            BadGrammar: No token goes on with the grammar.
        """
        assert self.finish is None, f"an answer that ended by {self.finish} goes on"
        self.token, logprob = self._sampler.choose(logits)
        self.written += 1
        piece = self._weights.piece(self.token)
        if piece is None:
            self.finish = Finish.STOP
            return None
        if self._rules is not None:
            self._rules.accept(self.token)
        text = self._stops.take(self._decoder.decode(piece))
        if self._stops.is_hit:
            self.finish = Finish.STOP
        elif self.written >= self._max_tokens:
            self.finish = Finish.LENGTH
        return Chunk(text, logprob)

    def end(self, prompt_tokens: int, adapters: ActiveSet, finish: Finish | None = None) -> Chunk:
        """The last chunk: the text that was held back, and how the answer ended, by itself or otherwise."""
        text = "" if self._stops.is_hit else self._stops.take(self._decoder.decode(b"", final=True))
        finish = finish or self.finish
        assert finish is not None, "an answer that goes on has no end"
        is_cut = self._stops.is_hit  # the bytes that were waited for may have made a stop text whole
        finish, hit = Finish.STOP if is_cut else finish, self._stops.hit
        end = End(finish, prompt_tokens, self.written, adapters=adapters, stop_text=hit)
        return Chunk(text + self._stops.rest(), end=end)
