"""The loss of a training, step by step, as a drawing (SVG) that needs nothing else."""

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
MOST_POINTS = 400


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
        losses = [math.log10(loss) for _, loss in points]
        self._first, self._last = points[0][0], points[-1][0]
        self._low, self._high = math.floor(min(losses)), math.ceil(max(losses))
        self._high += self._high == self._low

    def x(self, step: float) -> float:
        return LEFT + (step - self._first) / (self._last - self._first) * (WIDTH - LEFT - RIGHT)

    def y(self, loss: float) -> float:
        share = (math.log10(loss) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        """A line for each power of ten, and the first, middle and last step."""
        lines = [self._level(power) for power in range(self._low, self._high + 1)]
        steps = sorted({self._first, (self._first + self._last) // 2, self._last})
        ends = {self._first: "start", self._last: "end"}
        lines += [
            f'<text x="{self.x(step):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="{ends.get(step, "middle")}">'
            f"{f'step {step}' if step == self._first else step}</text>"
            for step in steps
        ]
        return "".join(lines)

    def _level(self, power: int) -> str:
        height = self.y(10.0**power)
        return (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        )
