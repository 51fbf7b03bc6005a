"""Axes and curves as SVG in the theme's colours, as ``_static/widgets/kit.js`` draws them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 340, 236
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 42, 38  # room around the plot
ACROSS, DOWN = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


@dataclass(frozen=True)
class Axis:
    """What is written along an axis, and from where to where it goes."""

    label: str
    low: float
    high: float

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        least = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(least))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.999 * least)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


@dataclass
class Panel:
    """One pair of axes; what is drawn on it is added in order, and ``svg`` is the whole.

    Args:
        title: stands above, and is the alternative text.
        x, y: axes.
        legend: names by series; a series is ``a``, ``b``, ``c`` or ``rule``.
        dotted: those names that stand for dots, not for a line.
    """

    title: str
    x: Axis
    y: Axis
    legend: dict[str, str] = field(default_factory=dict)
    dotted: Sequence[str] = ()
    marks: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return round(self.x.share(x) * ACROSS, 1), round((1 - self.y.share(y)) * DOWN, 1)

    def line(self, series: str, xs: Sequence[float], ys: Sequence[float]) -> None:
        points = " ".join("{},{}".format(*self.at(*each)) for each in zip(xs, ys, strict=True))
        self.marks.append(f'<polyline class="series {series}" points="{points}"/>')

    def dots(self, series: str, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.marks += [_dot(series, *self.at(*each)) for each in zip(xs, ys, strict=True)]

    def level(self, y: float) -> None:
        _, y = self.at(self.x.low, y)
        self.marks.append(f'<line class="rule" x1="0" x2="{ACROSS}" y1="{y}" y2="{y}"/>')

    def upright(self, x: float) -> None:
        x, _ = self.at(x, self.y.low)
        self.marks.append(f'<line class="rule" x1="{x}" x2="{x}" y1="0" y2="{DOWN}"/>')

    def band(self, low: float, high: float) -> None:
        (low, _), (high, _) = self.at(low, 0), self.at(high, 0)
        self.marks.append(f'<rect class="band" x="{low}" y="0" width="{high - low:.1f}" height="{DOWN}"/>')

    def strokes(self, xs: Sequence[float]) -> None:
        for x, _ in (self.at(x, self.y.low) for x in xs):
            self.marks.append(f'<line class="stroke" x1="{x}" x2="{x}" y1="1" y2="11"/>')

    def svg(self) -> str:
        bottom, parts, left = TOP + DOWN, [], 2.0
        for series, name in self.legend.items():
            line = f'<line class="series {series}" x1="{left:.1f}" x2="{left + 18:.1f}" y1="27" y2="27"/>'
            parts.append(_dot(series, left + 9, 27) if name in self.dotted else line)
            parts.append(f'<text x="{left + 23:.1f}" y="31">{escape(name)}</text>')
            left += 38 + 6.4 * len(name)
        for value in self.x.ticks():
            place = LEFT + self.x.share(value) * ACROSS
            parts.append(f'<text x="{place:.1f}" y="{bottom + 14}" class="mid">{_shown(value)}</text>')
        for value in self.y.ticks():
            y = bottom - self.y.share(value) * DOWN
            ends = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
            parts.append(f'<line class="grid" {ends}/>')
            parts.append(f'<text x="{LEFT - 5}" y="{y + 3.5:.1f}" class="end">{_shown(value)}</text>')
        title = escape(self.title)
        return "".join(
            (
                f'<svg class="panel" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
                f'<text x="2" y="12" class="title">{title}</text>',
                *parts,
                f'<svg x="{LEFT}" y="{TOP}" width="{ACROSS}" height="{DOWN}">{"".join(self.marks)}</svg>',
                f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}"/>',
                f'<text x="{LEFT + ACROSS / 2}" y="{HEIGHT - 6}" class="mid">{escape(self.x.label)}</text>',
                f'<text transform="translate(11 {TOP + DOWN / 2}) rotate(-90)" class="mid">'
                f"{escape(self.y.label)}</text></svg>",
            )
        )


def _dot(series: str, x: float, y: float) -> str:
    if series == "b":
        return f'<rect class="dot b" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
    return f'<circle class="dot {series}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _shown(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
