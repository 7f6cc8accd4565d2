"""May an engine that died be started again."""

from shammah.serve.deaths import MOST_DEATHS, WINDOW_SECONDS, Deaths

FILE, CHANGED = (10, 1, 1), (10, 2, 1)


def test_a_file_that_kills_twice_in_a_row_is_refused() -> None:
    once = Deaths().one_more(0.0, FILE, is_at_load=True)
    assert not once.refuses(FILE)
    assert once.one_more(1.0, FILE, is_at_load=True).refuses(FILE)


def test_a_file_that_was_opened_in_between_is_not() -> None:
    once = Deaths().one_more(0.0, FILE, is_at_load=True).opened()
    assert not once.one_more(1.0, FILE, is_at_load=True).refuses(FILE)


def test_another_file_in_its_place_is_opened() -> None:
    twice = Deaths().one_more(0.0, FILE, is_at_load=True).one_more(1.0, FILE, is_at_load=True)
    assert not twice.refuses(CHANGED)
    assert not twice.one_more(2.0, CHANGED, is_at_load=True).refuses(CHANGED)


def test_an_engine_that_dies_again_and_again_is_left_alone_for_a_while() -> None:
    deaths = Deaths()
    for second in range(MOST_DEATHS):
        assert deaths.rest_seconds(float(second)) == 0.0
        deaths = deaths.one_more(float(second), FILE, is_at_load=False)
    assert deaths.rest_seconds(10.0) == WINDOW_SECONDS - 10.0
    assert deaths.rest_seconds(WINDOW_SECONDS) == 0.0
