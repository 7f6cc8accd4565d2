"""Settings come from flag, environment, file and default, in this order, and a wrong one is named."""

from pathlib import Path

import pytest

from shammah import config
from shammah.amounts import Memory
from shammah.rates import SamplingRates
from shammah.settings import Settings, TeacherSettings
from tests.configs import home, load, refusal, write

__all__ = ["home"]


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


def test_sampling_rates_are_settings_of_their_own_section(home: Path) -> None:
    write(home, "[sampling]\nto_100 = 1\nsecurity_factor = 2.5\n")
    rates = load(home, {"SHAMMAH_SAMPLING_LATER": "0.02"}).sampling
    assert rates == SamplingRates(to_100=1.0, later=0.02, security_factor=2.5)


def test_the_guide_names_every_setting_with_its_default(home: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text("utf-8")
    block = next(part for part in guide.split("```")[1::2] if part.startswith("toml\n") and "offline = " in part)
    write(home, block.removeprefix("toml\n"))
    assert load(home) == Settings(home=home)
    assert {row.name for row in config.in_file(home)} == set(config.known_names())
