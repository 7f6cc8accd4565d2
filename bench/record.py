"""The picture of the README: its loop, as the real commands show it on a terminal of 80 columns.

`python -m bench.record` runs the loop in an empty home, offline, and writes `docs/pictures/loop.svg`. It trains, which
takes about a minute. The picture needs no font and no other file of the network.
"""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

import pexpect
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from bench.screen import Screen

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "loop.svg"
COLUMNS, ROWS, LONGEST_SECONDS = 80, 40, 3600
TITLE = "offline, without a key"
PROMPT = "$ "
# Read on a light page and on a dark one: the window brings its own background.
THEME = TerminalTheme(
    (30, 34, 42),
    (220, 223, 228),
    [(60, 66, 78), (224, 108, 117), (152, 195, 121), (229, 192, 123), (97, 175, 239), (198, 120, 221), (86, 182, 194),
     (220, 223, 228)],
)  # fmt: skip
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
        font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-family: system-ui, sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def loop() -> list[str]:
    """The commands of the README's loop, as they are typed once `shammah` is on the path."""
    found = re.search(r"<!-- command: loop -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None, "the README has a loop"
    lines = (line.removeprefix(".venv/bin/") for line in found[1].splitlines())
    return [line for line in lines if line.startswith("shammah ")]


def played(home: Path) -> Iterator[tuple[str, str]]:
    """Each command of the loop with all that it wrote to its terminal."""
    for line in loop():
        child = pexpect.spawn(
            sys.executable,
            ["-m", "shammah", *shlex.split(line)[1:]],
            env=environment(home),
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            timeout=LONGEST_SECONDS,
        )
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, f"{line}\n{child.before}"
        yield line, str(child.before)


def environment(home: Path) -> Mapping[str, str]:
    """A user's who has nothing yet: an empty home, no key, no settings."""
    own = ("ANTHROPIC_", "SHAMMAH_", "HF_", "NO_COLOR", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"HOME": str(home), "SHAMMAH_HOME": str(home / ".shammah"), "TERM": "xterm-256color"}


def drawn(scenes: Iterator[tuple[str, str]]) -> str:
    """The picture of all that was typed and said."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    for place, (line, said) in enumerate(scenes):
        screen = Screen(COLUMNS)
        screen.write(said)
        console.print(Text.from_ansi(f"{chr(10) * (place > 0)}{PROMPT}\x1b[1m{line}\x1b[0m"), soft_wrap=True)
        for row in screen.lines():
            console.print(Text.from_ansi(row), soft_wrap=True)
    picture = console.export_svg(title=TITLE, theme=THEME, code_format=FORMAT, unique_id="loop")
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def main() -> None:
    """Play the loop and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        picture = drawn(played(Path(folder)))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture, "utf-8")
    print(PICTURE)


if __name__ == "__main__":
    main()
