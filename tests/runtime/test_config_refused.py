"""A setting that is unknown or wrong is named, with the place where it was given and what helps."""

from pathlib import Path
from typing import Any

import pytest

from shammah.errors import ConfigError
from shammah.given import variable_of
from tests.configs import home, load, refusal, write

__all__ = ["home"]


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ('[teacher]\nmodle = "x"\n', "teacher.modle", "teacher.model"),
        ("ofline = true\n", "ofline", "offline"),
        ('model = "x.gguf"\n', "model", "model.path"),
        ("[techer]\nmax_tokens = 5\n", "techer.max_tokens", "teacher.max_tokens"),
        ('[answer.system]\ntext = "x"\n', "answer.system.text", "answer.system"),
    ],
)
def test_an_unknown_key_of_the_file_is_named_with_the_file_and_the_nearest(
    text: str, key: str, nearest: str, home: Path
) -> None:
    write(home, text)
    message, hint = refusal(home)
    assert str(home / "config.toml") in message
    assert f"`{key}`" in message
    assert f"`{nearest}`" in hint


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("SHAMMAH_TEACHER_MODLE", "teacher.model"),
        ("SHAMMAH_TEACHR_MODEL", "teacher.model"),
        ("SHAMMAH_OFLINE", "offline"),
        ("SHAMMAH_WORKER_ON_BATERY", "worker.on_battery"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_key(variable: str, nearest: str, home: Path) -> None:
    message, hint = refusal(home, {variable: "x"})
    assert variable in message
    assert hint == f"Did you mean {variable_of(nearest)}?"


def test_the_home_is_no_setting_of_the_file(home: Path) -> None:
    write(home, 'home = "/elsewhere"\n')
    assert "`home`" in refusal(home)[0]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('offline = "perhaps"', "offline", "true or false"),
        ("offline = 1", "offline", "true or false"),
        ("[model]\npath = 5", "model.path", "a text"),
        ("[model]\npath = 2026-11-20", "model.path", "a text"),
        ("[model]\nthreads = 1.5", "model.threads", "a whole number"),
        ("[model]\nthreads = true", "model.threads", "a whole number"),
        ("[model]\nthreads = []", "model.threads", "a whole number"),
        ('[model]\ngpu_layers = "all"', "model.gpu_layers", '"auto"'),
        ('[teacher]\nmax_usd_per_day = "much"', "teacher.max_usd_per_day", "a number"),
        (f"[teacher]\nmax_usd_per_day = 1{'0' * 400}", "teacher.max_usd_per_day", "a number"),
        ('[quality]\nmax_bad_rate = "perfect"', "quality.max_bad_rate", 'a number or "strict" or "balanced"'),
        ("[quality]\nmax_bad_rate = true", "quality.max_bad_rate", '"off"'),
        ('[heads]\nlearner = "forest"', "heads.learner", '"bayes" or "adam"'),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_it_takes(text: str, key: str, words: str, home: Path) -> None:
    write(home, text)
    message, hint = refusal(home)
    assert f"`{key}`" in message
    assert words in hint


@pytest.mark.parametrize(
    ("flag", "low", "high"),
    [
        ("model__context_tokens", 0, 1 << 24),
        ("model__threads", 0, 1024),
        ("answer__max_tokens", 1, 1 << 20),
        ("answer__temperature", 0.0, 5.0),
        ("teacher__max_tokens", 1, 128_000),
        ("teacher__max_usd_per_day", 0.0, 1e9),
        ("teacher__max_usd_per_month", 0.0, 1e9),
        ("trainer__learning_rate", 0.0, 0.1),
        ("trainer__batch", 0, 1024),
        ("trainer__epochs", 0, 1000),
        ("trainer__rank", 0, 256),
        ("teacher__deadline_seconds", 0.1, 86_400.0),
        ("sampling__to_100", 0.0, 1.0),
        ("sampling__to_500", 0.0, 1.0),
        ("sampling__to_2000", 0.0, 1.0),
        ("sampling__later", 0.0, 1.0),
        ("sampling__after_swap", 0.0, 1.0),
        ("sampling__architecture_factor", 0.0, 100.0),
        ("sampling__security_factor", 0.0, 100.0),
    ],
)
def test_numbers_are_taken_up_to_their_bounds_and_no_further(flag: str, low: float, high: float, home: Path) -> None:
    for value in (low, high):
        given: dict[str, Any] = {flag: value}
        load(home, **given)
    name, variable = flag.replace("__", "."), f"SHAMMAH_{flag.replace('__', '_').upper()}"
    for value in (low - 1, high + 1):
        assert f"`{name}`" in refusal(home, {variable: str(value)})[0]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_no_limit_is_no_number(text: str, home: Path) -> None:
    assert "teacher.max_usd_per_day" in refusal(home, {"SHAMMAH_TEACHER_MAX_USD_PER_DAY": text})[0]


@pytest.mark.parametrize("data", [b"threads = " + b"9" * 5000, b"a = " + b"[" * 9000])
def test_what_nobody_can_read_is_named(data: bytes, home: Path) -> None:
    (home / "config.toml").write_bytes(data)
    assert str(home / "config.toml") in refusal(home)[0]


def test_a_key_of_a_thousand_dots_is_unknown(home: Path) -> None:
    (home / "config.toml").write_text("a" + ".a" * 5000 + " = 1")
    assert "is unknown" in refusal(home)[0]


def test_a_folder_in_the_files_place_is_named(home: Path) -> None:
    (home / "config.toml").mkdir()
    assert str(home / "config.toml") in refusal(home)[0]


@pytest.mark.parametrize("value", ['"plenty"', "3", "3.5", "true", '"0GB"'])
def test_an_amount_of_memory_that_is_none_is_refused_with_examples(value: str, home: Path) -> None:
    write(home, f"[trainer]\nmax_memory = {value}\n")
    message, hint = refusal(home)
    assert "`trainer.max_memory`" in message
    assert '"3GB"' in hint


def test_an_option_that_is_no_amount_of_memory_is_named(home: Path) -> None:
    message, hint = refusal(home, trainer__max_memory="plenty")
    assert message == "the option --max-memory is 'plenty'"
    assert '"2500MB"' in hint


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("answer__max_tokens", 10**22, f"--max-tokens is {10**22}"),
        ("answer__temperature", float("nan"), "--temperature is nan"),
        ("model__context_tokens", 10**14, f"--context is {10**14}"),
        ("serve__port", 99999, "--port is 99999"),
        ("trainer__rank", -1, "--rank is -1"),
    ],
)
def test_an_option_out_of_its_bounds_is_a_matter_of_usage_and_named(
    home: Path, name: str, value: float, said: str
) -> None:
    message, hint = refusal(home, None, **{name: value})
    assert message == said
    assert hint.startswith("It takes a number from")


def test_a_bad_value_of_the_file_stays_one_beside_a_good_option(home: Path) -> None:
    write(home, "[trainer]\nrank = -1\n")
    with pytest.raises(ConfigError, match=r"`trainer\.rank` is -1"):
        load(home, trainer__batch=1)


@pytest.mark.parametrize("rate", ["1.5", "-0.1", "nan", "15"])
def test_a_rate_of_bad_answers_is_a_share(rate: str, home: Path) -> None:
    message, hint = refusal(home, {"SHAMMAH_QUALITY_MAX_BAD_RATE": rate})
    assert "`quality.max_bad_rate`" in message
    assert "from 0 to 1" in hint


@pytest.mark.parametrize("value", ["1.01", "-0.1", "nan", "50"])
def test_a_sampling_rate_is_a_share(value: str, home: Path) -> None:
    message, hint = refusal(home, {"SHAMMAH_SAMPLING_AFTER_SWAP": value})
    assert message == f"`sampling.after_swap` is {float(value)}"
    assert hint == "It takes a number from 0 to 1."
