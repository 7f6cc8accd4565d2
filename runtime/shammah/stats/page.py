"""The figures as one HTML page that needs nothing else: no network, no script, light and dark, fit to print."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from shammah.reports.page import STYLE
from shammah.stats import drawings, words
from shammah.stats.figures import Figures
from shammah.stats.numbers import between, percent, usd
from shammah.stats.sections import Row, Section

OWN_STYLE = Path(__file__).with_name("page.css")
_CODE = re.compile(r"`([^`]+)`")
NOTHING = "Nothing was asked in this time, so there is nothing to count."
HOW_TO_READ = (
    "Bad: worse than the teacher's answer, or rated so. Intervals hold in 95 of 100 such samples. A shaded band is such"
    " an interval, a dashed line what the quality contract allows, a dotted upright line a change of active adapters."
    " In the drawings of calibration a dot on the diagonal is a head that was right about how often it would be right."
)


def page(figures: Figures) -> str:
    """The whole page."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>Shammah in figures</title>",
            f"<style>\n{STYLE.read_text('utf-8')}{OWN_STYLE.read_text('utf-8')}</style></head><body><main>",
            "<h1>Shammah in figures</h1>",
            f'<p class="faint">{escape(words.heading(figures))}</p>',
            _headline(figures) if figures.over_time else f"<p>{NOTHING}</p>",
            *map(_section, words.sections(figures)),
            f"</main><footer>{escape(HOW_TO_READ)}</footer></body></html>",
            "",
        ]
    )


def _headline(figures: Figures) -> str:
    """The four figures that most people want."""
    compared, money = figures.quality.compared, figures.money
    told = (
        ("answered locally", percent(figures.questions.local_share), f"{figures.questions.local:,} questions"),
        ("of local answers bad", percent(compared.rate), between(compared.interval)),
        ("spent", usd(money.spent_usd), f"on {figures.teacher}"),
        ("saved", usd(money.saved_usd), "at list price"),
    )
    tiles = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd>{escape(note)}</dd></div>"
        for name, value, note in told
    )
    return f'<dl class="headline">{"".join(tiles)}</dl>'


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", *_figures(section)]
    if section.rows:
        parts.append(_table(section))
    parts += [f"<p>{_sentence(note)}</p>" for note in section.notes]
    return "\n".join(parts)


def _sentence(note: str) -> str:
    """A note; what it has in backticks is set as code."""
    return _CODE.sub(r"<code>\1</code>", escape(note))


def _figures(section: Section) -> Iterator[str]:
    for curve in section.curves:
        drawing = drawings.over_time(curve, section)
        if drawing:
            yield f"<figure><figcaption>{escape(curve.name)}</figcaption>{drawing}</figure>"
    if section.reliability and section.reliability.bins:
        caption = "Across: what it said. Up: how many of those were good."
        yield f"<figure>{drawings.reliability(section.reliability)}<figcaption>{caption}</figcaption></figure>"


def _table(section: Section) -> str:
    has_bars = any(row.bar is not None for row in section.rows)
    cells = [f'<th scope="col"{_kind(section, place)}>{escape(name)}</th>' for place, name in enumerate(section.head)]
    head = "".join(cells) + ('<th class="bar"></th>' if has_bars else "")
    body = "\n".join(_row(section, row, has_bars) for row in section.rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _row(section: Section, row: Row, has_bars: bool) -> str:
    cells = [f"<td{_kind(section, place, text)}>{escape(text.strip())}</td>" for place, text in enumerate(row.cells)]
    return f"<tr>{''.join(cells)}{_bar(row.bar) if has_bars else ''}</tr>"


def _kind(section: Section, place: int, text: str = "") -> str:
    kinds = [*(["words"] if place < section.left else []), *(["part"] if text.startswith(" ") else [])]
    return f' class="{" ".join(kinds)}"' if kinds else ""


def _bar(share: float | None) -> str:
    if share is None:
        return '<td class="bar"></td>'
    filled = f'<rect width="{100 * min(1.0, share):.1f}" height="8"/>'
    return f'<td class="bar"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">{filled}</svg></td>'
