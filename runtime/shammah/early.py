"""The early verdict: a draft is judged after its first tokens, so that a hopeless one is stopped there."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from shammah.generation import Chunk, Completion, End, Finish, Stop

TOKENS = 24
"""Of visible text, after which a draft is judged."""

Verdict = Callable[[Completion], bool]
"""Whether a draft, read as if it ended here, is hopeless."""


class Early:
    """Watches one stream, and makes it stop where the verdict is hopeless."""

    def __init__(self, is_hopeless: Verdict, stop: Stop) -> None:
        self._is_hopeless = is_hopeless
        self._stop = stop
        self._is_stopped = False

    def stop(self) -> bool:
        """Whether nobody waits for the rest: the user has left, or the verdict is in."""
        return self._is_stopped or self._stop()

    def watch(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Pass chunks on; judge once, after enough of them."""
        texts: list[str] = []
        logprobs: list[float] = []
        for chunk in chunks:
            if chunk.logprob is not None and len(texts) < TOKENS:
                logprobs.append(chunk.logprob)
                # Thinking is no text, and says little of the answer.
                if chunk.text or texts:
                    texts.append(chunk.text)
                if len(texts) == TOKENS:
                    self._is_stopped = self._is_hopeless(_as_if_whole(texts, logprobs))
            yield chunk

    def name(self, completion: Completion) -> Completion:
        """A completion that the verdict ended says so."""
        if self._is_stopped and completion.end.finish is Finish.INTERRUPTED and not self._stop():
            return replace(completion, end=replace(completion.end, finish=Finish.HOPELESS))
        return completion


def _as_if_whole(texts: list[str], logprobs: list[float]) -> Completion:
    return Completion("".join(texts).strip(), End(Finish.STOP, 0, len(logprobs)), tuple(logprobs))
