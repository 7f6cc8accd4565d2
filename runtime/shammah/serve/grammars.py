"""Grammars, in llama.cpp's GBNF, for what is no JSON schema by itself: a call of a tool, and any JSON object."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shammah.tool_text import CLOSE, OPEN, Tool

# JSON as Python writes it: calls stand so in Qwen's own prompts. No number is so long that a model gets lost in it.
_JSON = r"""
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( string ":" ws value ( "," ws string ":" ws value )* )? ws "}"
array ::= "[" ws ( value ( "," ws value )* )? ws "]"
string ::= "\"" char* "\""
char ::= [^"\\\x7F\x00-\x1F] | "\\" ( ["\\bfnrt/] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] )
integer ::= "-"? ( "0" | [1-9] [0-9]{0,15} )
number ::= integer ( "." [0-9]{1,15} )? ( [eE] [-+]? [0-9]{1,3} )?
ws ::= "" | " " | "\n" [ \t]{0,20}
"""
_PLAIN = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": '( "true" | "false" )',
    "null": '"null"',
    "object": "object",
    "array": "array",
}
DEEPEST, MOST_OPTIONAL = 8, 32


def of_object() -> str:
    """Any JSON object."""
    return "root ::= object" + _JSON


def of_call(tools: Sequence[Tool]) -> str:
    """One call of one of the tools, with arguments of its schema."""
    head, between, foot = _text(f'{OPEN}\n{{"name": '), _text(', "arguments": '), _text(f"}}\n{CLOSE}")
    rules = _Rules()
    calls = [f"{_literal(tool.name)} {between} {rules.of(tool.parameters)}" for tool in tools]
    return f"root ::= {head} ( {' | '.join(calls)} ) {foot}{_JSON}{rules.text}"


class _Rules:
    """The rules of schemas, each named: a rule that stands in several places is written once."""

    def __init__(self) -> None:
        self._bodies: list[str] = []

    @property
    def text(self) -> str:
        """All of them, a rule a line."""
        return "".join(f"r{number} ::= {body}\n" for number, body in enumerate(self._bodies))

    def of(self, schema: Any, depth: int = 0) -> str:
        """A schema's values; what is not understood of it lets any value through, which its owner checks anyway."""
        if not isinstance(schema, Mapping) or depth > DEEPEST:
            return "value"
        if "const" in schema:
            return _literal(schema["const"])
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._one_of(map(_literal, schema["enum"]))
        for word in ("anyOf", "oneOf"):
            if isinstance(schema.get(word), list) and schema[word]:
                return self._one_of(self.of(branch, depth + 1) for branch in schema[word])
        kinds = schema.get("type", "object" if "properties" in schema else "")
        if isinstance(kinds, list) and kinds:
            return self._one_of(self._of_kind(kind, schema, depth) for kind in kinds)
        return self._of_kind(kinds, schema, depth)

    def _named(self, body: str) -> str:
        self._bodies.append(body)
        return f"r{len(self._bodies) - 1}"

    def _one_of(self, values: Iterable[str]) -> str:
        return self._named(" | ".join(values))

    def _of_kind(self, kind: Any, schema: Mapping[str, Any], depth: int) -> str:
        if kind == "array" and "items" in schema:
            item = self.of(schema["items"], depth + 1)
            return self._named(f'"[" ( {item} ( ", " {item} )* )? "]"')
        if kind == "object" and isinstance(schema.get("properties"), Mapping):
            return self._of_fields(schema, depth)
        return _PLAIN.get(kind, "value") if isinstance(kind, str) else "value"

    def _of_fields(self, schema: Mapping[str, Any], depth: int) -> str:
        """The fields that are required, in their order, and any of the others behind them, in theirs."""
        needed, fields = schema.get("required"), schema["properties"].items()
        drawn = {name: self._named(f"{_text(_key(name))} {self.of(field, depth + 1)}") for name, field in fields}
        required = [drawn[name] for name in drawn if isinstance(needed, list) and name in needed]
        optional = [rule for rule in drawn.values() if rule not in required]
        if required:
            body = " ".join([' ", " '.join(required), *_may_follow(optional)])
        elif len(optional) > MOST_OPTIONAL:  # each may come first: that is the square of their number
            return "object"
        else:
            body = f"( {' | '.join(_from_each(optional))} )?" if optional else ""
        return self._named(f'"{{" {body} "}}"')


def _from_each(rules: Sequence[str]) -> Iterator[str]:
    """Any of the fields that are left when one of them comes first."""
    for place, rule in enumerate(rules):
        yield " ".join([rule, *_may_follow(rules[place + 1 :])])


def _may_follow(rules: Sequence[str]) -> list[str]:
    return [f'( ", " {rule} )?' for rule in rules]


def _key(name: str) -> str:
    return f"{json.dumps(name)}: "


def _literal(value: Any) -> str:
    return _text(json.dumps(value, ensure_ascii=False))


def _text(text: str) -> str:
    """A literal of GBNF."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
