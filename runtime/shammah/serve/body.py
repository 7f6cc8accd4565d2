"""The body of a request, as the JSON object that it is to be."""

import json
from typing import NoReturn

from starlette.requests import Request

from shammah.serve.wanted import Object, Refused


async def body_of(request: Request) -> Object:
    """Read a body.

    Raises:
        Refused: It is no JSON object, or has text that no encoding can write.
    """
    return parsed(await request.body())


def parsed(data: bytes) -> Object:
    """A JSON object.

    Raises:
        Refused: It is none.
    """
    try:
        found = json.loads(data, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair goes into no file
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is no JSON: {str(error) or 'it is too deep'}"[:300], code="invalid_json") from error
    if not isinstance(found, dict):
        raise Refused("the body is to be a JSON object", code="invalid_json")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
