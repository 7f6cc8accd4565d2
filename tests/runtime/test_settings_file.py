"""config.toml is changed whole, checked, and for its owner's eyes; what is wrong is never written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shammah import config
from shammah.errors import ConfigError
from shammah.settings import Settings
from shammah.settings_file import edited, set_value, unset, winner


def text(home: Path) -> str:
    return (home / "config.toml").read_text("utf-8")


def load(home: Path) -> Settings:
    return config.load({config.HOME_VARIABLE: str(home)})


def test_a_value_is_read_as_its_settings_type_and_counts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name, value in [
        ("teacher.max_usd_per_month", "7.5"),
        ("model.gpu_layers", "12"),
        ("quality.max_bad_rate", "strict"),
        ("trainer.max_memory", "3GB"),
        ("offline", "yes"),
    ]:
        set_value(home, name, value)
    assert 'max_memory = "3GB"' in text(home)
    assert "max_usd_per_month = 7.5" in text(home)
    settings = load(home)
    assert (settings.offline, settings.model.gpu_layers, settings.quality.max_bad_rate) == (True, 12, "strict")


def test_the_file_is_its_owners_alone_also_where_it_was_not(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("offline = false\n")
    file.chmod(0o644)
    set_value(tmp_path, "offline", "true")
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "config.lock"}


def test_a_link_stays_one(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "shammah.toml"
    kept.parent.mkdir()
    kept.write_text("# mine\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").symlink_to(kept)
    set_value(home, "offline", "true")
    assert (home / "config.toml").is_symlink()
    assert kept.read_text() == "# mine\noffline = true\n"


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("teacher.modle", "x", "`teacher.modle` is unknown", "`teacher.model`"),
        ("teacher.max_tokens", "many", "'many'", "a whole number"),
        ("trainer.rank", "1000", "`trainer.rank` is 1000", "from 0 to 256"),
        ("heads.learner", "forest", "'forest'", '"bayes" or "adam"'),
    ],
)
def test_what_is_wrong_is_refused_and_the_file_stays(
    name: str, value: str, message: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text("offline = true\n")
    with pytest.raises(ConfigError) as caught:
        set_value(tmp_path, name, value)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert text(tmp_path) == "offline = true\n"


def test_a_file_that_is_wrong_elsewhere_is_not_made_to_look_right(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("ofline = true\n")
    with pytest.raises(ConfigError, match="`ofline` is unknown"):
        set_value(tmp_path, "model.threads", "2")
    unset(tmp_path, "ofline")
    set_value(tmp_path, "model.threads", "2")
    assert load(tmp_path).model.threads == 2


def test_what_is_taken_out_falls_back_to_its_default(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[model]\n# fast\nthreads = 3\n")
    unset(tmp_path, "model.threads")
    assert text(tmp_path) == "[model]\n# fast\n"
    assert load(tmp_path).model.threads == 0


def test_the_last_word_is_the_environments() -> None:
    assert winner("teacher.model", {"SHAMMAH_TEACHER_MODEL": "x"}) == "SHAMMAH_TEACHER_MODEL"
    assert winner("teacher.model", {"TEACHER_MODEL": "x"}) == ""


def test_an_edit_is_saved_where_it_is_right(tmp_path: Path) -> None:
    assert edited(tmp_path, lambda before: before + "offline = true\n")
    assert text(tmp_path).startswith("# Shammah's configuration.")
    assert load(tmp_path).offline
    assert not edited(tmp_path, lambda before: before)
    assert not edited(tmp_path, lambda _: None)


@pytest.mark.parametrize("after", ["ofline = true\n", "offline = ", "[model]\nthreads = -1\n"])
def test_an_edit_that_is_wrong_changes_nothing_and_is_not_lost(after: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("offline = true\n")
    with pytest.raises(ConfigError) as caught:
        edited(tmp_path, lambda _: after)
    assert "config.rejected.toml" in caught.value.hint
    assert (tmp_path / "config.rejected.toml").read_text() == after
    assert text(tmp_path) == "offline = true\n"


def test_of_many_changes_at_once_none_is_lost(tmp_path: Path) -> None:
    names = ["model.threads", "model.context_tokens", "answer.max_tokens", "teacher.max_tokens"]
    code = "import sys; from pathlib import Path; from shammah.settings_file import set_value as s;"
    code += "[s(Path(sys.argv[1]), sys.argv[2], str(n)) for n in range(1, 8)]"
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], env=dict(os.environ)) for name in names
    ]
    assert [child.wait(60) for child in children] == [0] * 4
    settings = load(tmp_path)
    assert (settings.model.threads, settings.model.context_tokens) == (7, 7)
    assert (settings.answer.max_tokens, settings.teacher.max_tokens) == (7, 7)


def test_what_is_no_number_is_refused_with_its_bounds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is nan") as raised:
        set_value(tmp_path, "teacher.max_usd_per_day", "nan")
    assert raised.value.hint == "It takes a number from 0 to 1,000,000,000."
