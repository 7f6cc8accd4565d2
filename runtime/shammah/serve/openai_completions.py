"""A request to `/v1/completions`, as what is wanted: the prompt is asked as a question."""

from shammah.generation import Sampling
from shammah.serve.document import check
from shammah.serve.history import History
from shammah.serve.openai_sampling import refuse_unoffered, sampling_of
from shammah.serve.wanted import Defaults, Object, Wanted, way_of


def wanted(body: Object, defaults: Defaults) -> Wanted:
    """Read a request.

    Raises:
        Refused: It asks for what there is not, or is not to be understood.
    """
    check(body, "CompletionRequest")
    way = way_of(body["model"])
    refuse_unoffered(body)
    prompt, history = body["prompt"], History()
    history.user(prompt if isinstance(prompt, str) else prompt[0], "prompt")
    return Wanted(
        model=body["model"],
        way=way,
        messages=history.messages(defaults.system, (), "", "prompt"),
        sampling=sampling_of(body, defaults, Sampling()),
        max_tokens=body.get("max_tokens"),
        user=body.get("user") or "",
        streams=bool(body.get("stream")),
        includes_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )
