"""Grammars, in llama.cpp's GBNF, for what is no JSON schema by itself: a call of a tool, and any JSON object."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
DEEPEST = 8


def of_object() -> str:
    """Any JSON object."""
    return "root ::= object" + _JSON


def of_call(tools: Sequence[Tool]) -> str:
    """One call of one of the tools, with arguments of its schema."""
    head, between, foot = _text(f'{OPEN}\n{{"name": '), _text(', "arguments": '), _text(f"}}\n{CLOSE}")
    rules = _Rules()
    calls = [f"{_literal(tool.name)} {between} {rules.of(tool.parameters)}" for tool in tools]
    return "\n".join([f"root ::= {head} ( {' | '.join(calls)} ) {foot}", *rules.lines]) + _JSON


class _Rules:
    """Rules for the values of schemas: what stands in a rule twice has one of its own, or they would grow with depth.

    Attributes:
        lines: Of the grammar.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def of(self, schema: Any, depth: int = 0) -> str:
        """A schema's values; what is not understood of it lets any value through, which its owner checks anyway."""
        if not isinstance(schema, Mapping) or depth > DEEPEST:
            return "value"
        if "const" in schema:
            return _literal(schema["const"])
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return f"( {' | '.join(map(_literal, schema['enum']))} )"
        for word in ("anyOf", "oneOf"):
            if isinstance(schema.get(word), list) and schema[word]:
                return f"( {' | '.join(self.of(branch, depth + 1) for branch in schema[word])} )"
        kinds = schema.get("type", "object" if "properties" in schema else "")
        if isinstance(kinds, list) and kinds:
            return f"( {' | '.join(self._of_kind(kind, schema, depth) for kind in kinds)} )"
        return self._of_kind(kinds, schema, depth)

    def _of_kind(self, kind: Any, schema: Mapping[str, Any], depth: int) -> str:
        if kind == "array" and "items" in schema:
            item = self._named(self.of(schema["items"], depth + 1))
            return f'"[" ( {item} ( ", " {item} )* )? "]"'
        if kind == "object" and isinstance(schema.get("properties"), Mapping) and schema["properties"]:
            return f'"{{" {self._fields(schema, depth)} "}}"'
        return _PLAIN.get(kind, "value") if isinstance(kind, str) else "value"

    def _fields(self, schema: Mapping[str, Any], depth: int) -> str:
        """The fields that are required, in their order, and any of the others behind them, in theirs."""
        fields = schema["properties"].items()
        drawn = {
            name: self._named(f"{_text(json.dumps(name) + ': ')} {self.of(field, depth + 1)}") for name, field in fields
        }
        needed = schema.get("required")
        required = [rule for name, rule in drawn.items() if isinstance(needed, list) and name in needed]
        optional = [rule for rule in drawn.values() if rule not in required]
        if required:
            return " ".join([' ", " '.join(required), *(f'( ", " {rule} )?' for rule in optional)])
        return f"( {' | '.join(reversed(list(self._from_each(optional))))} )?"

    def _from_each(self, optional: Sequence[str]) -> Iterator[str]:
        """Any of the fields that are left when one of them comes first; the last one first."""
        later = ""
        for rule in reversed(optional):
            yield f"{rule} {later}".rstrip()
            later = self._named(f'( ", " {rule} )? {later}'.rstrip())

    def _named(self, body: str) -> str:
        """A rule of its own."""
        name = f"rule{len(self.lines)}"
        self.lines.append(f"{name} ::= {body}")
        return name


def _literal(value: Any) -> str:
    return _text(json.dumps(value, ensure_ascii=False))


def _text(text: str) -> str:
    """A literal of GBNF."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
