"""Small doors for what nobody types by accident: controls, halves of letters, lines and names without an end."""

import io
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from shammah import model_names
from shammah.child import new_lines
from shammah.cli import screen
from shammah.cli.log import shorten
from shammah.cli.typed import clean
from shammah.errors import TextTooLong, UsageError
from shammah.privacy import Redactor
from shammah.privacy.redactor import MOST_CHARACTERS
from shammah.repl import history
from shammah_convert.chat import Message


def written(text: str) -> str:
    stream = io.StringIO()
    with redirect_stdout(stream):
        screen.write(text)
    return stream.getvalue()


def test_what_is_written_steers_no_terminal() -> None:
    assert written("a\x1b[2Jb\x9b31mc\x7f\td\ne\r") == "a[2Jb31mc\td\ne\n"


def test_json_holds_every_sign_and_steers_no_terminal() -> None:
    line = screen.json_line({"answer": "a\x1b\x9b\x7fé"})
    assert line == '{"answer": "a\\u001b\\u009b\\u007fé"}'
    assert written(line) == f"{line}\n"


def test_halves_of_letters_and_nul_are_replaced_and_bytes_read_again() -> None:
    assert clean("a\ud800b\udfffc\0d") == "a\ufffdb\ufffdc\ufffdd"
    assert clean("\udcc3\udca9") == "é", "the bytes of a broken locale"


def test_a_line_of_megabytes_is_shortened_at_once() -> None:
    started = time.process_time()
    assert shorten("x" * 2_000_000, 4).endswith("…")
    assert time.process_time() - started < 2


def test_progress_that_is_no_object_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    file.write_bytes(b'5\n[1]\n{"event": "step"}\n' + b"[" * 9000 + b'\n\xff\n{"event": "end"}\n{"ev')
    with file.open(encoding="utf-8", errors="replace") as stream:
        assert [line["event"] for line in new_lines(stream)] == ["step", "end"]


def test_a_history_that_somebody_broke_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("[" * 9000 + '\n"ls"\n5\n')
    assert history.read(file) == ["ls"]


def test_what_no_model_reads_is_refused_before_it_is_looked_through() -> None:
    half = "x" * (MOST_CHARACTERS // 2)
    Redactor().redact_all([Message("user", half), Message("user", half)])
    for texts in ([half, half, "x"], ["x" * 20 * MOST_CHARACTERS]):
        with pytest.raises(TextTooLong, match="500,000 may be"):
            Redactor().redact_all([Message("user", text) for text in texts])
    with pytest.raises(TextTooLong):
        Redactor().redact("x" * (MOST_CHARACTERS + 1))


def test_of_many_secrets_each_is_replaced_wherever_it_stands() -> None:
    secrets = [f"ghp_{number:04}" + "a1B2c3" * 6 for number in range(150)]
    text = "\n".join(f"token={secret} and {secret}, x{secret}y" for secret in secrets)
    redactor = Redactor()
    redacted = redactor.redact(text)
    assert not any(secret in redacted for secret in secrets)
    assert redactor.restore(redacted) == text


def test_a_name_that_the_hub_cannot_have_is_none() -> None:
    for name in (f"hf:Qwen/{'9' * 5000}", f"hf:{'Q' * 97}/a", f"hf:a/b:{'Q' * 97}"):
        with pytest.raises(UsageError, match="names no file of the hub"):
            model_names.resolve(name)
