"""All shapes of the API by name: what is checked, and what `/openapi.json` shows, are the same."""

from shammah.serve import anthropic_shapes, openai_shapes
from shammah.serve.shapes import Fault, Shapes, find_fault
from shammah.serve.shaping import COUNT, TEXT, any_of, list_of, or_null, reply, word
from shammah.serve.wanted import Object, Refused

# One shape for the clients of both APIs: each finds its own fields.
_MODEL = reply(
    {
        "id": TEXT,
        "object": word("model"),
        "created": COUNT,
        "owned_by": TEXT,
        "type": word("model"),
        "display_name": TEXT,
        "created_at": TEXT,
    }
)
_MODELS = reply(
    {
        "object": word("list"),
        "data": list_of(_MODEL),
        "has_more": {"type": "boolean"},
        "first_id": or_null(TEXT),
        "last_id": or_null(TEXT),
    }
)

SHAPES: Shapes = (
    openai_shapes.REQUESTS
    | openai_shapes.REPLIES
    | anthropic_shapes.REQUESTS
    | anthropic_shapes.REPLIES
    | {"Model": _MODEL, "ModelList": _MODELS}
)
ANY_ERROR = any_of({"$ref": "#/components/schemas/OpenAIError"}, {"$ref": "#/components/schemas/AnthropicError"})


def check(body: Object, name: str) -> None:
    """Check a request against its shape.

    Raises:
        Refused: It has a fault; the first is named.
    """
    fault = find_fault(body, SHAPES[name], SHAPES)
    if fault is not None:
        raise Refused(_in_words(fault), fault.param, "unknown_parameter" if fault.is_unknown else "invalid_value")


def _in_words(fault: Fault) -> str:
    return f"`{fault.param}` {fault.says}" if fault.param else f"the request {fault.says}"
