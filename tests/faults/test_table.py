"""The table of promises."""

from pathlib import Path

from tests.faults import table
from tests.faults.promise import Promise, Trials
from tests.faults.promises import PROMISES


def kept(trials: Trials) -> str:
    return f"{trials.count} kept"


FIRST = Promise("first", "Death", "Nothing is lost.", "kills", 500, kept)
SECOND = Promise("second", "Disk", "Nothing is torn.", "writes", 20, kept, least=3)


def test_ci_makes_one_trial_in_a_hundred_and_never_fewer_than_the_least() -> None:
    assert (FIRST.count(is_full=False), FIRST.count(is_full=True), SECOND.count(is_full=False)) == (5, 500, 3)


def test_what_a_run_did_not_see_stays_as_it_was_seen_before() -> None:
    empty = f"# Page\n{table.BEGIN}\n{table.END}\nThe end.\n"
    first = table.written(empty, [FIRST, SECOND], {"first": "500 kills"})
    both = table.written(first, [FIRST, SECOND], {"second": "20 writes"})
    assert "Nothing is lost. | `python -m tests.faults first --full` | 500 kills |" in both
    assert "Nothing is torn. | `python -m tests.faults second --full` | 20 writes |" in both
    assert both.startswith("# Page\n")
    assert both.endswith("\nThe end.\n")


def test_the_page_has_a_row_for_each_promise_and_no_other() -> None:
    page = Path(table.PAGE).read_text("utf-8")
    assert page == table.written(page, PROMISES, {})


def test_each_promise_has_a_name_of_its_own() -> None:
    names = [promise.name for promise in PROMISES]
    assert len(set(names)) == len(names)
