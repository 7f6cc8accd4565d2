"""A file appears whole and on the disk, or not at all; and a full disk is known as one."""

import errno
import sys
from pathlib import Path

import pytest

from shammah_convert.files import is_full, leads_inside, whole, write_whole
from tests.disk_order import published, recorded


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_file_reaches_the_disk_before_its_name_and_its_name_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = recorded(monkeypatch)
    write_whole(tmp_path / "one", "1")
    write_whole(tmp_path / "two", "2")
    assert events == published(tmp_path, "one", "two")


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "old")

    def fill() -> None:
        with whole(tmp_path / "file") as partial:
            partial.write_text("ne")
            raise OSError(errno.ENOSPC, "the disk is full")

    with pytest.raises(OSError, match="full"):
        fill()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (OSError(errno.ENOSPC, ""), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EFBIG, ""), True),
        (OSError(errno.EACCES, ""), False),
        (ValueError(errno.ENOSPC), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, is_so: bool) -> None:
    assert is_full(error) is is_so


@pytest.mark.parametrize(
    ("path", "is_inside"),
    [
        ("model.gguf", True),
        ("Q4/model..gguf", True),
        ("../model.gguf", False),
        ("Q4/../../model.gguf", False),
        ("Q4\\..\\model.gguf", False),
        ("/etc/model.gguf", False),
        ("", False),
        ("a\0.gguf", False),
    ],
)
def test_a_path_that_leads_out_of_its_folder_is_told(path: str, is_inside: bool) -> None:
    assert leads_inside(path) is is_inside
