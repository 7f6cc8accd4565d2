"""One setting is changed, and every other line of config.toml stays as it was."""

import tomllib
from pathlib import Path

import pytest

from shammah import config, settings_file
from shammah.errors import ConfigError

CHANGES = {
    "no file": (None, '[model]\npath = "/m.gguf"\n'),
    "another section": ("[answer]\nmax_tokens = 3\n", '[answer]\nmax_tokens = 3\n\n[model]\npath = "/m.gguf"\n'),
    "no line end": ("offline = true", 'offline = true\n\n[model]\npath = "/m.gguf"\n'),
    "a comment behind it": (
        '# mine\n[model]\nthreads = 2\npath = "old"   # the old one\n\n[answer]\nsystem = "path = 1"\n',
        '# mine\n[model]\nthreads = 2\npath = "/m.gguf"   # the old one\n\n[answer]\nsystem = "path = 1"\n',
    ),
    "the section without it": (
        "[model]\nthreads = 2\n[answer]\n",
        '[model]\npath = "/m.gguf"\nthreads = 2\n[answer]\n',
    ),
    "a dotted key": ("model.path = 'old'\noffline = true\n", 'model.path = "/m.gguf"\noffline = true\n'),
    "a header at the end": ("[model]", '[model]\npath = "/m.gguf"\n'),
}


@pytest.mark.parametrize("case", CHANGES)
def test_one_line_is_changed_or_added(tmp_path: Path, case: str) -> None:
    before, after = CHANGES[case]
    file = tmp_path / "config.toml"
    if before is not None:
        file.write_text(before)
    settings_file.set_value(tmp_path, "model.path", "/m.gguf")
    assert file.read_text() == after
    assert config.load({"SHAMMAH_HOME": str(tmp_path)}).model.path == "/m.gguf"


@pytest.mark.parametrize(
    "before", ['model = { path = "x" }\n', "model = 3\n", '[model]\npath = """\nx"""\n', "[model\n"]
)
def test_what_cannot_be_changed_safely_is_left_alone(tmp_path: Path, before: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(before)
    with pytest.raises(ConfigError, match="cannot be changed") as caught:
        settings_file.set_value(tmp_path, "model.path", "/m.gguf")
    assert file.read_text() == before
    assert "/m.gguf" in caught.value.hint


@pytest.mark.parametrize("value", ['a "quoted" \\ path', "caf\u00e9/\u6a21\u578b.gguf", "", "\\1\\g<0>"])
def test_any_text_comes_back_as_it_was(tmp_path: Path, value: str) -> None:
    file = tmp_path / "config.toml"
    for _ in range(2):
        settings_file.set_value(tmp_path, "model.path", value)
        assert tomllib.loads(file.read_text())["model"]["path"] == value


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("")
    (tmp_path / "config.toml").symlink_to(kept)
    settings_file.set_value(tmp_path, "model.path", "/m.gguf")
    assert (tmp_path / "config.toml").is_symlink()
    assert "/m.gguf" in kept.read_text()
