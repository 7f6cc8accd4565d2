"""Files that commands write: nothing is overwritten unasked."""

from pathlib import Path

import pytest

from shammah.cli.files import save_page, writing
from shammah.errors import ShammahError, UsageError


def test_what_is_there_is_overwritten_only_where_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    save_page("one", file, False, "page")
    with pytest.raises(UsageError, match="is there already") as refused:
        save_page("two", file, False, "page")
    assert ("--force" in refused.value.hint, file.read_text()) == (True, "one")
    save_page("two", file, True, "page")
    assert file.read_text() == "two"


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is there already"):
        save_page("one", tmp_path, True, "page")


def test_what_cannot_be_written_has_failed_and_is_no_matter_of_usage(tmp_path: Path) -> None:
    with pytest.raises(ShammahError, match="cannot be written: No such file") as failed:
        save_page("one", tmp_path / "absent" / "page.html", False, "page")
    assert type(failed.value) is ShammahError


def test_what_it_is_given_for_home_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with writing(Path("~/x"), False) as target:
        assert target == tmp_path / "x"
