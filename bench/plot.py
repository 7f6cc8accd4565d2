"""Curves in a terminal, one letter each."""

from collections.abc import Mapping, Sequence

HEIGHT = 9
LABEL = 6
"""Columns that the numbers left of the axis take."""


def draw(title: str, curves: Mapping[str, Sequence[float]], marks: Sequence[int] = (), as_percent: bool = True) -> str:
    """Curves of equal length over one axis; where two meet, the first one's letter is seen.

    Args:
        title: What the height is.
        curves: Values by name; the name's first letter stands for it.
        marks: Columns to be marked below the axis.
        as_percent: How the height is written.
    """
    top = max((value for curve in curves.values() for value in curve), default=0.0) or 1.0
    width = max((len(curve) for curve in curves.values()), default=0)
    rows = [[" "] * width for _ in range(HEIGHT)]
    for name, curve in reversed(list(curves.items())):
        for column, value in enumerate(curve):
            rows[_row(value, top)][column] = name[0]
    lines = [title]
    for place, row in enumerate(rows):
        height = top * (HEIGHT - 1 - place) / (HEIGHT - 1)
        label = f"{height:.0%}" if as_percent else f"{height:.3g}"
        lines.append(f"{label if place % 4 == 0 else '':>{LABEL}} |{''.join(row)}".rstrip())
    axis = "".join("^" if column in marks else "-" for column in range(width))
    return "\n".join([*lines, f"{'':>{LABEL}} +{axis}"])


def _row(value: float, top: float) -> int:
    """The line of a value, counted from above."""
    share = min(1.0, max(0.0, value / top))
    return HEIGHT - 1 - round(share * (HEIGHT - 1))
