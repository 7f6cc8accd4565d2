"""Which row a request takes, what it finds there, and how a step is shared out."""

import pytest

from shammah.local.seating import JOIN_TOKENS, Place, Seat, choose_seat, share_out, shared

LONG = list(range(100))


def place(row: int, tokens: list[int], is_free: bool = True, last_used: int = 0) -> Place:
    return Place(row, tokens, is_free, last_used)


@pytest.mark.parametrize(
    ("first", "second", "count"), [([], [1], 0), ([1, 2], [1, 2], 2), ([1, 2, 3], [1, 2], 2), ([1, 9], [1, 2], 1)]
)
def test_the_common_beginning_is_counted(first: list[int], second: list[int], count: int) -> None:
    assert shared(first, second) == shared(second, first) == count


def test_without_a_free_row_there_is_no_seat() -> None:
    assert choose_seat([place(0, [], is_free=False)], [1, 2]) is None


def test_a_conversation_goes_on_where_it_stopped() -> None:
    assert choose_seat([place(0, []), place(1, LONG, last_used=5)], [*LONG, 7, 8]) == Seat(1, 1, 100)


def test_the_last_token_of_a_prompt_is_evaluated_again() -> None:
    assert choose_seat([place(0, LONG)], LONG) == Seat(0, 0, 99)


def test_a_row_with_little_in_common_is_kept_and_lends_its_beginning() -> None:
    assert choose_seat([place(0, LONG), place(1, [])], [*LONG[:30], 7]) == Seat(1, 0, 30)


def test_the_last_free_row_is_taken_whatever_it_holds() -> None:
    assert choose_seat([place(0, LONG), place(1, [5], is_free=False)], [*LONG[:30], 7]) == Seat(0, 0, 30)


def test_a_running_row_lends_its_beginning_and_is_left_alone() -> None:
    places = [place(0, LONG, is_free=False), place(1, [5, 6], last_used=3), place(2, [7], last_used=2)]
    assert choose_seat(places, [*LONG, 1]) == Seat(2, 0, 100)


def test_empty_rows_are_taken_before_those_that_hold_something() -> None:
    places = [place(0, LONG, last_used=1), place(1, [], last_used=9)]
    seat = choose_seat(places, [500, 501])
    assert seat is not None
    assert (seat.row, seat.kept) == (1, 0)


@pytest.mark.parametrize(
    ("ahead", "given"),
    [
        ([(1, False), (1, False)], [1, 1]),
        ([(900, True)], [512]),
        ([(300, True), (300, True)], [300, 212]),
        ([(1, False), (900, True)], [1, JOIN_TOKENS]),
        ([(1, False), (40, True), (900, True), (5, True)], [1, 40, JOIN_TOKENS - 40, 0]),
    ],
)
def test_who_writes_goes_first_and_prompts_share_the_rest(ahead: list[tuple[int, bool]], given: list[int]) -> None:
    assert share_out(ahead, 512) == given
