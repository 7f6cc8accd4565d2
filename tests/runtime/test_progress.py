"""A training shows on a terminal as a bar."""

from io import StringIO

from rich.console import Console

from shammah.cli.progress import Bar


def test_the_bar_says_from_where_a_training_goes_on() -> None:
    screen = StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=120))
    bar.hear({"event": "resumed", "step": 24})
    bar.close()
    assert "Going on after step 24" in screen.getvalue()
