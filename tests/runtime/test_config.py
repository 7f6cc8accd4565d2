"""Settings come from flag, environment, file and default, in this order, and a wrong one is named."""

from pathlib import Path
from typing import Any

import pytest

from shammah import config
from shammah.amounts import Memory
from shammah.errors import ConfigError
from shammah.given import variable_of
from shammah.rates import SamplingRates
from shammah.settings import Settings, TeacherSettings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text, "utf-8")


def load(home: Path, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return config.load({config.HOME_VARIABLE: str(home)} | (environ or {}), **flags)


def refusal(home: Path, environ: dict[str, str] | None = None, **flags: object) -> tuple[str, str]:
    """The message and the hint of the error that these settings are."""
    with pytest.raises(ConfigError) as caught:
        load(home, environ, **flags)
    return str(caught.value), caught.value.hint


def test_without_anything_the_defaults_hold(home: Path) -> None:
    assert load(home) == Settings(home=home)


FILE = '[teacher]\nmodel = "from-file"\n'
ENVIRON = {"SHAMMAH_TEACHER_MODEL": "from-environment"}


def test_the_file_beats_the_default(home: Path) -> None:
    write(home, FILE)
    assert load(home).teacher.model == "from-file"


def test_the_environment_beats_the_file(home: Path) -> None:
    write(home, FILE)
    assert load(home, ENVIRON).teacher.model == "from-environment"


def test_a_flag_beats_the_environment(home: Path) -> None:
    write(home, FILE)
    assert load(home, ENVIRON, teacher__model="from-flag").teacher.model == "from-flag"


SERVED = '[model]\nserver = "http://127.0.0.1:1/v1"\npath = "/m/x.gguf"\n'


@pytest.mark.parametrize(
    ("environ", "flags", "server"),
    [
        ({}, {}, "http://127.0.0.1:1/v1"),
        ({"SHAMMAH_MODEL_PATH": "/m/y.gguf"}, {}, ""),
        ({}, {"model__path": "/m/y.gguf"}, ""),
        ({"SHAMMAH_MODEL_PATH": "/m/y.gguf", "SHAMMAH_MODEL_SERVER": "http://b/v1"}, {}, "http://b/v1"),
        ({"SHAMMAH_MODEL_SERVER": "http://b/v1"}, {}, "http://b/v1"),
    ],
)
def test_a_file_that_is_named_without_a_server_is_opened_here(
    home: Path, environ: dict[str, str], flags: dict[str, str], server: str
) -> None:
    write(home, SERVED)
    assert load(home, environ, **flags).model.server == server


def test_a_flag_that_is_not_given_changes_nothing(home: Path) -> None:
    write(home, FILE)
    assert load(home, teacher__model=None).teacher.model == "from-file"


def test_one_setting_of_a_section_leaves_the_others_alone(home: Path) -> None:
    write(home, FILE)
    assert load(home).teacher.max_tokens == TeacherSettings().max_tokens


def test_every_setting_can_be_set_by_its_variable(home: Path) -> None:
    for name in config.known_names():
        variable = "SHAMMAH_" + name.replace(".", "_").upper()
        message, _ = refusal(home, {variable: "\0"}) if name not in TEXTS else (variable, "")
        assert variable in message


TEXTS = {
    "privacy.never_forward",
    "model.path",
    "model.server",
    "model.served_as",
    "answer.system",
    "teacher.model",
    "teacher.base_url",
    "trainer.python",
    "trainer.launch",
    "serve.host",
    "serve.names",
}


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("SHAMMAH_TEACHER_MAX_USD_PER_DAY", "2.5", "teacher", "max_usd_per_day", 2.5),
        ("SHAMMAH_MODEL_CONTEXT_TOKENS", "4096", "model", "context_tokens", 4096),
        ("SHAMMAH_MODEL_GPU_LAYERS", "auto", "model", "gpu_layers", "auto"),
        ("SHAMMAH_MODEL_GPU_LAYERS", "12", "model", "gpu_layers", 12),
        ("SHAMMAH_HEADS_LEARNER", "adam", "heads", "learner", "adam"),
        ("SHAMMAH_QUALITY_MAX_BAD_RATE", "strict", "quality", "max_bad_rate", "strict"),
        ("SHAMMAH_QUALITY_MAX_BAD_RATE", "off", "quality", "max_bad_rate", "off"),
        ("SHAMMAH_QUALITY_MAX_BAD_RATE", "0.1", "quality", "max_bad_rate", 0.1),
        ("SHAMMAH_WORKER_ENABLED", "no", "worker", "enabled", False),
        ("SHAMMAH_WORKER_ON_BATTERY", "TRUE", "worker", "on_battery", True),
        ("SHAMMAH_ANSWER_SYSTEM", "", "answer", "system", ""),
    ],
)
def test_a_variables_text_is_read_as_its_settings_type(
    variable: str, text: str, section: str, key: str, value: object, home: Path
) -> None:
    assert getattr(getattr(load(home, {variable: text}), section), key) == value


@pytest.mark.parametrize(("text", "is_offline"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_offline_is_a_variable_without_a_section(text: str, is_offline: bool, home: Path) -> None:
    assert load(home, {"SHAMMAH_OFFLINE": text}).offline is is_offline


def test_variables_of_others_are_none_of_ours(home: Path) -> None:
    assert load(home, {"TEACHER_MODEL": "x", "SHAMMA": "y"}) == Settings(home=home)


def test_of_every_value_it_is_known_where_it_stands(home: Path) -> None:
    write(home, FILE + "max_tokens = 5\n")
    rows = config.given({config.HOME_VARIABLE: str(home)} | ENVIRON, {"answer__seed": None, "model__threads": 2})
    assert {row.name: row.place for row in rows} == {
        "teacher.model": "SHAMMAH_TEACHER_MODEL",
        "teacher.max_tokens": str(home / "config.toml"),
        "model.threads": "an option",
    }


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
    name = flag.replace("__", ".")
    for value in (low - 1, high + 1):
        given = {flag: value}
        assert f"`{name}`" in refusal(home, **given)[0]


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


def test_the_home_is_where_the_variable_says(tmp_path: Path) -> None:
    assert config.load({config.HOME_VARIABLE: str(tmp_path / "elsewhere")}).home == tmp_path / "elsewhere"


def test_a_home_is_absolute_wherever_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config.load({config.HOME_VARIABLE: "here"}).home == tmp_path / "here"


@pytest.mark.parametrize("environ", [{}, {config.HOME_VARIABLE: ""}, {config.HOME_VARIABLE: "~/.shammah"}])
def test_the_home_is_in_the_users_folder_otherwise(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.load(environ).home == tmp_path / ".shammah"


def test_another_model_leaves_all_other_settings(home: Path) -> None:
    write(home, "[model]\nthreads = 3\n" + FILE)
    changed = config.with_model(load(home), "x.gguf")
    assert (changed.model.path, changed.model.threads, changed.teacher.model) == ("x.gguf", 3, "from-file")


@pytest.mark.parametrize("text", ["3GB", "3G", "3000MB"])
def test_the_most_memory_of_a_training_is_read_in_every_place(text: str, home: Path) -> None:
    write(home, f'[trainer]\nmax_memory = "{text}"\n')
    assert load(home).trainer.max_memory == Memory(3 * 10**9)
    assert load(home, {"SHAMMAH_TRAINER_MAX_MEMORY": "2GiB"}).trainer.max_memory == Memory(2**31)
    assert load(home, trainer__max_memory="1.5GB").trainer.max_memory == Memory(1_500_000_000)
    assert load(home, {"SHAMMAH_TRAINER_MAX_MEMORY": ""}).trainer.max_memory == Memory(), "no bound"


@pytest.mark.parametrize("value", ['"plenty"', "3", "3.5", "true", '"0GB"'])
def test_an_amount_of_memory_that_is_none_is_refused_with_examples(value: str, home: Path) -> None:
    write(home, f"[trainer]\nmax_memory = {value}\n")
    message, hint = refusal(home)
    assert "`trainer.max_memory`" in message
    assert '"3GB"' in hint


def test_an_option_that_is_no_amount_of_memory_is_named(home: Path) -> None:
    message, hint = refusal(home, trainer__max_memory="plenty")
    assert message == "the option for `trainer.max_memory` is 'plenty'"
    assert '"2500MB"' in hint


@pytest.mark.parametrize("rate", ["1.5", "-0.1", "nan", "15"])
def test_a_rate_of_bad_answers_is_a_share(rate: str, home: Path) -> None:
    message, hint = refusal(home, {"SHAMMAH_QUALITY_MAX_BAD_RATE": rate})
    assert "`quality.max_bad_rate`" in message
    assert "from 0 to 1" in hint


def test_sampling_rates_are_settings_of_their_own_section(home: Path) -> None:
    write(home, "[sampling]\nto_100 = 1\nsecurity_factor = 2.5\n")
    rates = load(home, {"SHAMMAH_SAMPLING_LATER": "0.02"}).sampling
    assert rates == SamplingRates(to_100=1.0, later=0.02, security_factor=2.5)


@pytest.mark.parametrize("value", ["1.01", "-0.1", "nan", "50"])
def test_a_sampling_rate_is_a_share(value: str, home: Path) -> None:
    message, hint = refusal(home, {"SHAMMAH_SAMPLING_AFTER_SWAP": value})
    assert message == f"`sampling.after_swap` is {float(value)}"
    assert hint == "It takes a number from 0 to 1."


def test_the_guide_names_every_setting_with_its_default(home: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text("utf-8")
    block = next(part for part in guide.split("```")[1::2] if part.startswith("toml\n") and "offline = " in part)
    write(home, block.removeprefix("toml\n"))
    assert load(home) == Settings(home=home)
    assert {row.name for row in config.in_file(home)} == set(config.known_names())
