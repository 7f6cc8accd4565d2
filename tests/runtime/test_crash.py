"""What is told of an error that nobody foresaw: where, and nothing that was typed."""

import io
import logging
import sys
import threading
from contextlib import redirect_stderr
from typing import NoReturn

import pytest

from shammah import cli, crash

TYPED = "hunter" + "2!x"


def fail(text: str) -> NoReturn:
    raise ValueError(f"cannot be {text}")


def failure() -> BaseException:
    try:
        try:
            fail(TYPED)
        except ValueError as error:
            raise KeyError(TYPED) from error
    except KeyError as error:
        return error


def test_kinds_and_places_are_told_and_no_text() -> None:
    said = crash.told(failure())
    assert TYPED not in said
    assert said.index("builtins.ValueError") < said.index("builtins.KeyError"), "what led to it comes first"
    assert "in fail\n" in said
    assert 'raise ValueError(f"cannot be {text}")' in said, "code is no secret"


def test_each_of_several_errors_is_told() -> None:
    said = crash.told(ExceptionGroup(TYPED, [ValueError(TYPED), TypeError(TYPED)]))
    assert [word in said for word in ("ExceptionGroup", "ValueError", "TypeError", TYPED)] == [True, True, True, False]


def test_the_words_of_the_system_are_told() -> None:
    assert crash.told(OSError(28, "No space left on device")) == "builtins.OSError: No space left on device"


def test_a_recursion_without_end_is_told_in_few_lines() -> None:
    def endless() -> None:
        endless()

    with pytest.raises(RecursionError) as caught:
        endless()
    assert len(crash.told(caught.value).splitlines()) < 100


def test_a_command_ends_with_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "app", lambda **_: fail(TYPED))
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr().err
    assert caught.value.code == 1
    assert "nobody foresaw (ValueError)" in said
    assert "in fail" in said
    assert TYPED not in said


def test_logs_threads_and_the_end_of_a_process_tell_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(root, "handlers", [handler])
    for module, hook in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))
    crash.settle()
    with redirect_stderr(stream):
        logging.getLogger("somebody").error("a job failed", exc_info=failure())
        thread = threading.Thread(target=fail, args=(TYPED,))
        thread.start()
        thread.join()
        sys.excepthook(KeyError, failure(), None)
    said = stream.getvalue()
    assert said.count("builtins.ValueError") == 3
    assert TYPED not in said
