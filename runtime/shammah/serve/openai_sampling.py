"""How tokens are chosen, as OpenAI's requests say it."""

from dataclasses import replace

from shammah.generation import Sampling
from shammah.serve.wanted import Defaults, Object, Refused

SEEDS = 2**63


def refuse_unoffered(body: Object) -> None:
    """Refuse what would change the answer and is not there.

    Raises:
        Refused: Such a field is given.
    """
    if body.get("logit_bias"):
        raise Refused("`logit_bias` is not offered here", "logit_bias", "unsupported_parameter")
    if body.get("stream_options") and not body.get("stream"):
        raise Refused("`stream_options` is for streams", "stream_options")
    if body.get("max_tokens") and body.get("max_completion_tokens"):
        raise Refused("`max_tokens` and `max_completion_tokens` are the same; give one", "max_completion_tokens")


def sampling_of(body: Object, defaults: Defaults, base: Sampling) -> Sampling:
    """The sampling that a request asks for, over what is settled already."""
    seed, temperature, stop, top_p = (body.get(name) for name in ("seed", "temperature", "stop", "top_p"))
    return replace(
        base,
        max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or defaults.max_tokens),
        temperature=float(defaults.temperature if temperature is None else temperature),
        top_p=1.0 if top_p is None else float(top_p),
        seed=None if seed is None else int(seed) % SEEDS,  # theirs may be negative, ours may not
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
    )
