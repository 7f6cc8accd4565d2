"""What the benchmark of `chat` calls a prompt: it stands on a terminal, and takes keys."""

from pathlib import Path

import pytest

from bench.chat import OURS, PEER, check_key, until_prompt
from bench.measure import Pairs

DEAF = "import tty; tty.setraw(0); print('> ', end='', flush=True); open(0).read(1)"


@pytest.mark.parametrize("side", [OURS, PEER], ids=["ours", "peer"])
def test_both_sides_have_a_prompt_that_takes_a_key(side: tuple[str, ...], tmp_path: Path) -> None:
    check_key(side, tmp_path)


def test_a_prompt_that_shows_no_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended without b'q'"):
        check_key(("-c", DEAF), tmp_path)


def test_a_process_without_a_prompt_is_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended without b'>'"):
        until_prompt(("-c", "print('hello')"), tmp_path)


def test_a_start_is_timed_by_the_clock_and_of_the_processor(tmp_path: Path) -> None:
    start = until_prompt(("-c", "import time; time.sleep(0.2); print('>', flush=True); input()"), tmp_path)
    assert start.seconds > 0.2
    assert 0 < start.cpu_seconds < start.seconds, "sleeping takes none"


@pytest.mark.parametrize(("share", "ratio"), [(0.5, 30 / 10), (0.25, 20 / 10), (0.0, 10 / 10)])
def test_a_share_says_which_figure_of_each_side_counts(share: float, ratio: float) -> None:
    assert Pairs((30.0, 10.0, 20.0, 40.0, 90.0), (10.0, 10.0, 10.0, 80.0, 10.0), share).ratio == ratio
