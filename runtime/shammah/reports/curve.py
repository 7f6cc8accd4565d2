"""The loss of a training, step by step, as a drawing (SVG) that needs nothing else."""

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
MOST_POINTS = 400
MARGIN = 0.05
"""Above and below the curve, in powers of ten."""


def curve(losses: Sequence[float]) -> str:
    """An `<svg>` with the loss by steps, on a logarithmic scale, or empty where there are no two steps to join."""
    points = [(step, loss) for step, loss in enumerate(losses, start=1) if math.isfinite(loss) and loss > 0]
    if len(points) < 2:
        return ""
    scale = _Scale(points)
    path = " ".join(f"{scale.x(step):.1f},{scale.y(loss):.1f}" for step, loss in _thinned(points))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="curve">'
        f'<title id="curve">Loss from {points[0][1]:.3g} to {points[-1][1]:.3g} nats a token'
        f" in {points[-1][0]} steps</title>{scale.grid()}"
        f'<polyline class="loss" points="{path}"/></svg>'
    )


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most so many points, the last one among them."""
    stride = -(-len(points) // MOST_POINTS)
    return [*points[:-1:stride], points[-1]]


class _Scale:
    """From steps and losses to places in the drawing."""

    def __init__(self, points: Sequence[tuple[int, float]]) -> None:
        losses = [loss for _, loss in points]
        self._first, self._last = points[0][0], points[-1][0]
        self._low, self._high = math.log10(min(losses)) - MARGIN, math.log10(max(losses)) + MARGIN
        self._levels = levels(min(losses), max(losses))

    def x(self, step: float) -> float:
        return LEFT + (step - self._first) / (self._last - self._first) * (WIDTH - LEFT - RIGHT)

    def y(self, loss: float) -> float:
        share = (math.log10(loss) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        """A line for each level, and the first, middle and last step."""
        lines = [self._line(level) for level in self._levels]
        steps = sorted({self._first, (self._first + self._last) // 2, self._last})
        ends = {self._first: "start", self._last: "end"}
        lines += [
            f'<text x="{self.x(step):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="{ends.get(step, "middle")}">'
            f"{f'step {step}' if step == self._first else step}</text>"
            for step in steps
        ]
        return "".join(lines)

    def _line(self, level: float) -> str:
        height = self.y(level)
        return (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{level:.3g}</text>'
        )


def levels(low: float, high: float) -> list[float]:
    """Round losses between two that lines are drawn at: powers of ten where there are some, else finer ones."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        within = [level for level in found if low <= level <= high]
        if len(within) >= 2:
            return within
    return sorted({low, high})
