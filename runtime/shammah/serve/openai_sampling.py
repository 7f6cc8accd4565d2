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
    """The sampling that a request asks for, over what is settled already.

    Raises:
        Refused: `top_p` would decide something, as it does not at temperature 0.
    """
    seed, given, stop = body.get("seed"), body.get("temperature"), body.get("stop") or ()
    temperature = float(defaults.temperature if given is None else given)
    if temperature > 0 and body.get("top_p") not in (None, 1):
        raise Refused("`top_p` is not offered here, but for 1; use `temperature`", "top_p", "unsupported_parameter")
    return replace(
        base,
        max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or defaults.max_tokens),
        temperature=temperature,
        seed=None if seed is None else int(seed) % SEEDS,  # theirs may be negative, ours may not
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
    )
