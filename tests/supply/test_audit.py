"""What an audit says of known vulnerabilities is told as it is."""

import json
import sys
from pathlib import Path

import pytest

from tests.supply import audit

SOUND = {"name": "anyio", "version": "4.16.0", "vulns": []}
SKIPPED = {"name": "click", "skip_reason": "Dependency not found"}
BAD = {"name": "jinja2", "version": "3.1.6", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}


def test_what_was_skipped_was_not_audited() -> None:
    assert audit.judged({"dependencies": [SOUND, SKIPPED]}) == audit.Audit(1, ())
    assert audit.judged({"dependencies": [SKIPPED]}) == audit.Audit(0, ())


def test_what_is_known_against_a_release_is_named() -> None:
    assert audit.judged({"dependencies": [SOUND, BAD]}).vulnerable == ("jinja2 3.1.6: PYSEC-1, PYSEC-2",)


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [([SOUND], 0, "1 of "), ([SKIPPED], 0, "not audited"), (None, 0, "not audited"), ([BAD], 1, "PYSEC-2")],
)
def test_ci_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[object] | None, code: int, words: str
) -> None:
    script, report = tmp_path / "pip-audit", json.dumps({"dependencies": rows})
    does = f"open(sys.argv[-1], 'w').write({report!r})" if rows is not None else "sys.exit(1)"
    script.write_text(f"#!{sys.executable}\nimport sys\n{does}\n")
    script.chmod(0o755)
    assert audit.main(str(script)) == code
    assert words in capsys.readouterr().out
