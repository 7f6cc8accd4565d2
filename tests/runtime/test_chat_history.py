"""What was typed is remembered, without its secrets, for nobody else."""

from pathlib import Path

from shammah.repl import history

SECRET = "sk-ant-api03-" + "a1B2" * 20


def test_what_was_typed_comes_back_in_order_whatever_its_lines(tmp_path: Path) -> None:
    file = history.file_of(tmp_path / "home")
    typed = ["how do I list files", "two\nlines", "schöne Grüße \u2028 and more", "/good"]
    for text in typed:
        history.keep(file, text)
    assert history.read(file) == typed
    assert oct(file.stat().st_mode & 0o777) == oct(0o600)
    assert oct(file.parent.stat().st_mode & 0o777) == oct(0o700)


def test_no_secret_is_written(tmp_path: Path) -> None:
    file = history.file_of(tmp_path)
    history.keep(file, f"my key is {SECRET}, is that safe?")
    assert SECRET not in file.read_text()
    assert history.read(file) == ["my key is <SECRET_1>, is that safe?"]


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    file = history.file_of(tmp_path)
    history.keep(file, "before")
    with file.open("a") as stream:
        stream.write('"cut of\n[1, 2]\n')
    history.keep(file, "after")
    assert history.read(file) == ["before", "after"]


def test_the_newest_are_kept_of_too_many(tmp_path: Path) -> None:
    file = history.file_of(tmp_path)
    file.write_text("".join(f'"question {number}"\n' for number in range(2 * history.MOST + 1)))
    kept = history.read(file)
    assert (len(kept), kept[-1]) == (history.MOST, f"question {2 * history.MOST}")
    assert len(file.read_text().splitlines()) == history.MOST
    assert oct(file.stat().st_mode & 0o777) == oct(0o600)


def test_a_home_that_cannot_be_written_costs_the_memory_alone(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    file = history.file_of(tmp_path / "home")
    history.keep(file, "a question")
    assert history.read(file) == []
