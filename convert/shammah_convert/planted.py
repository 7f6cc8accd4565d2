"""Where a job keeps what would set off what came from outside: a file for each door."""

from collections.abc import Mapping

from shammah_convert.examples import Source

PLANTED: Mapping[Source, str] = {door: f"planted-{door}.jsonl" for door in ("teach", "mcp", "http")}
