"""Whoever answers asks a training to stand still by a file of its own."""

from pathlib import Path

from shammah_convert.pauses import PREFIX, SAME_START_SECONDS, Answering, ask, asked


def test_everybody_who_asks_is_heard_and_taking_the_file_away_ends_it(tmp_path: Path) -> None:
    first, second = Answering(12, 1764115200.25), Answering(13, 1764115201.5)
    file = ask(tmp_path, first)
    ask(tmp_path, second)
    assert set(asked(tmp_path)) == {first, second}
    file.unlink()
    assert asked(tmp_path) == [second]


def test_files_that_are_none_ask_for_nothing(tmp_path: Path) -> None:
    for name, text in (("pause-x", "1.0"), ("pause-5", "now"), ("pause-", ""), ("cancel", ""), (f".{PREFIX}6", "1.0")):
        (tmp_path / name).write_text(text)
    (tmp_path / "pause-7").mkdir()
    assert asked(tmp_path) == []


def test_a_process_with_the_same_id_that_started_at_another_time_is_another() -> None:
    who = Answering(12, 1000.0)
    assert who.is_that(1000.0 + SAME_START_SECONDS / 2)
    assert not who.is_that(1000.0 + 2 * SAME_START_SECONDS)
    assert not who.is_that(1000.0 - 2 * SAME_START_SECONDS)
