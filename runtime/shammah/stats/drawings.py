"""Curves and calibration as drawings (SVG) that need nothing else."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from shammah.stats.estimates import Calibration
from shammah.stats.numbers import in_unit
from shammah.stats.sections import Curve, Section

WIDTH, HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 26
SQUARE = 280
LARGEST_DOT, SMALLEST_DOT = 9.0, 2.5
HEADROOM = 1.1
"""Of the scale, above the greatest value."""


def over_time(curve: Curve, section: Section) -> str:
    """A `<svg>` with a value over time: bars of counts and dollars, else a line with its band; empty of nothing."""
    if not curve.says_something:
        return ""
    frame = _Frame(len(curve.values), _top(curve))
    drawn = frame.bars(curve.values) if curve.unit in ("count", "usd") else frame.marks(section) + frame.line(curve)
    label = (
        f"{curve.name}, {section.starts[0]} to {section.starts[-1]}: at most {in_unit(max(curve.known), curve.unit)}"
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{frame.grid(curve, section.starts)}{drawn}</svg>"
    )


def _top(curve: Curve) -> float:
    """Where the scale ends: a round number above all values and the limit, at most 1 for shares."""
    most = max([*curve.known, curve.limit or 0.0])
    return min(1.0, _round_up(most * HEADROOM)) if curve.unit == "share" else _round_up(most)


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 6, 8 and 10 times a power of ten; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 3, 4, 6, 8, 10) if factor * power >= value * (1 - 1e-9))


class _Frame:
    """From spans and values to places in a drawing."""

    def __init__(self, spans: int, top: float) -> None:
        self._width = (WIDTH - LEFT - RIGHT) / spans
        self._top = top

    def x(self, place: float) -> float:
        """The middle of a span."""
        return LEFT + (place + 0.5) * self._width

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - min(1.0, value / self._top) * (HEIGHT - TOP - BOTTOM)

    def grid(self, curve: Curve, starts: Sequence[str]) -> str:
        """Lines at nothing, half and all of the scale; first, middle and last day; the limit."""
        lines = [self._level(level, in_unit(level, curve.unit)) for level in self._levels(curve)]
        last = len(starts) - 1
        anchors = {0: "start", last: "end"} if last else {0: "middle"}
        lines += [
            f'<text x="{self.x(place):.1f}" y="{HEIGHT - 6}" text-anchor="{anchors.get(place, "middle")}">'
            f"{escape(starts[place])}</text>"
            for place in sorted({0, last // 2, last} if last >= 4 else {0, last})
        ]
        if curve.limit is not None:
            at = f"{self.y(curve.limit):.1f}"
            lines.append(f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
        return "".join(lines)

    def _levels(self, curve: Curve) -> list[float]:
        is_odd = curve.unit == "count" and self._top % 2
        return [0.0, self._top] if is_odd else [0.0, self._top / 2, self._top]

    def _level(self, level: float, words: str) -> str:
        at = self.y(level)
        return (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{escape(words)}</text>'
        )

    def marks(self, section: Section) -> str:
        """A line where something changed."""
        places = {bisect_right(section.starts, day) - 1 for day in section.marks}
        return "".join(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            for x in (self.x(place) for place in sorted(places) if place >= 0)
        )

    def bars(self, values: Sequence[float | None]) -> str:
        thick = max(1.0, self._width * 0.7)
        return "".join(
            f'<rect x="{self.x(place) - thick / 2:.1f}" y="{self.y(value):.1f}" width="{thick:.1f}"'
            f' height="{HEIGHT - BOTTOM - self.y(value):.1f}"/>'
            for place, value in enumerate(values)
            if value
        )

    def line(self, curve: Curve) -> str:
        """The line, broken where there is no value, over its band."""
        return "".join(self._band(curve, run) + self._run(curve.values, run) for run in _runs(curve.values))

    def _band(self, curve: Curve, run: Sequence[int]) -> str:
        intervals = [(place, found) for place in run if curve.band and (found := curve.band[place])]
        if len(intervals) < 2:
            return "".join(self._whisker(place, found.low, found.high) for place, found in intervals)
        upper = [f"{self.x(place):.1f},{self.y(found.high):.1f}" for place, found in intervals]
        lower = [f"{self.x(place):.1f},{self.y(found.low):.1f}" for place, found in reversed(intervals)]
        return f'<polygon class="band" points="{" ".join([*upper, *lower])}"/>'

    def _whisker(self, place: int, low: float, high: float) -> str:
        x = f"{self.x(place):.1f}"
        return f'<line class="whisker" x1="{x}" x2="{x}" y1="{self.y(low):.1f}" y2="{self.y(high):.1f}"/>'

    def _run(self, values: Sequence[float | None], run: Sequence[int]) -> str:
        points = [(self.x(place), self.y(value)) for place in run if (value := values[place]) is not None]
        if len(points) == 1:
            return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>'
        return f'<polyline class="loss" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _runs(values: Sequence[float | None]) -> Iterator[list[int]]:
    """Places of values that follow each other without a gap."""
    for is_known, run in groupby(range(len(values)), lambda place: values[place] is not None):
        if is_known:
            yield list(run)


def reliability(found: Calibration) -> str:
    """A `<svg>` of what a head said (across) beside the share that was good (up): a dot a bin, sized by its answers."""
    low, high = LEFT - 12, SQUARE - BOTTOM
    side = high - TOP

    def x(value: float) -> float:
        return low + value * side

    def y(value: float) -> float:
        return high - value * side

    grid = "".join(
        f'<line x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>'
        f'<text x="{low - 6}" y="{y(level) + 4:.1f}" text-anchor="end">{level:g}</text>'
        f'<text x="{x(level):.1f}" y="{SQUARE - 6}" text-anchor="middle">{level:g}</text>'
        for level in (0, 0.5, 1)
    )
    diagonal = f'<line class="limit" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(1):.1f}" y2="{y(1):.1f}"/>'
    dots = "".join(
        f'<line class="whisker" x1="{x(one.said):.1f}" x2="{x(one.said):.1f}" y1="{y(one.interval.low):.1f}"'
        f' y2="{y(one.interval.high):.1f}"/>'
        f'<circle cx="{x(one.said):.1f}" cy="{y(one.good):.1f}" r="{_radius(one.judged, found.judged):.1f}"/>'
        for one in found.bins
    )
    label = escape(f"Said and good, expected calibration error {found.error or 0.0:.3f}")
    return (
        f'<svg class="square" viewBox="0 0 {low + side + RIGHT} {SQUARE}" role="img" aria-label="{label}">'
        f"{grid}{diagonal}{dots}</svg>"
    )


def _radius(judged: int, of: int) -> float:
    return max(SMALLEST_DOT, LARGEST_DOT * math.sqrt(judged / of))
