"""Small charts as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 118, 12, 34
COLOURS = ("#0b6fb8", "#d1660a", "#2a8a3e", "#8a3ea8")
INK = "#555"


def lines_chart(
    x: Sequence[float], curves: Mapping[str, Sequence[float]], x_title: str, y_title: str
) -> str:
    """Curves over common places, from 0 to 1."""
    frame = _Frame((min(x), max(x)), (0.0, 1.0))
    parts = [frame.axes(x, (0, 0.25, 0.5, 0.75, 1), x_title, y_title)]
    ends = frame.apart([(values[-1], name) for name, values in curves.items()])
    for colour, (name, values) in zip(COLOURS, curves.items(), strict=False):
        places = [(frame.x(a), frame.y(b)) for a, b in zip(x, values, strict=True)]
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        style = f'fill="none" stroke="{colour}" stroke-width="2"'
        parts.append(f'<polyline points="{points}" {style}/>')
        parts += [_dot(across, down, colour, "") for across, down in places]
        parts.append(
            f'<text x="{WIDTH - RIGHT + 10}" y="{ends[name]:.1f}" fill="{colour}">{name}</text>'
        )
    return _svg(parts)


def scatter_chart(
    points: Sequence[tuple[float, float, str]], x_title: str, y_title: str, diagonal: str
) -> str:
    """Points (x, y, name) and the line on which both are equal."""
    values = [value for a, b, _ in points for value in (a, b)]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 1.0
    bounds = (max(0.0, low - margin), high + margin) if low >= 0 else (low - margin, high + margin)
    frame = _Frame(bounds, bounds)
    ticks = _ticks(bounds)
    start, end = bounds
    parts = [
        frame.axes(ticks, ticks, x_title, y_title),
        f'<line x1="{frame.x(start):.1f}" y1="{frame.y(start):.1f}" x2="{frame.x(end):.1f}" '
        f'y2="{frame.y(end):.1f}" stroke="#aaa" stroke-dasharray="4 3"/>',
        f'<text x="{frame.x(end) + 6:.1f}" y="{frame.y(end) + 10:.1f}" fill="{INK}">{diagonal}'
        "</text>",
    ]
    parts += [_dot(frame.x(a), frame.y(b), COLOURS[0], name) for a, b, name in points]
    return _svg(parts)


class _Frame:
    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self.x_range, self.y_range = x_range, y_range

    def x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / max(high - low, 1e-12) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - BOTTOM - (value - low) / max(high - low, 1e-12) * (HEIGHT - TOP - BOTTOM)

    def apart(self, ends: Sequence[tuple[float, str]], gap: float = 14.0) -> dict[str, float]:
        """Heights of labels, from the top, that do not lie on each other."""
        found: dict[str, float] = {}
        last = float("-inf")
        for value, name in sorted(ends, reverse=True):
            last = max(self.y(value) + 4, last + gap)
            found[name] = last
        return found

    def axes(
        self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_title: str, y_title: str
    ) -> str:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        parts = [
            f'<line x1="{LEFT}" y1="{self.y(v):.1f}" x2="{right}" y2="{self.y(v):.1f}" '
            f'stroke="#e3e5e8"/><text x="{LEFT - 6}" y="{self.y(v) + 4:.1f}" fill="{INK}" '
            f'text-anchor="end">{v:g}</text>'
            for v in y_ticks
        ]
        parts += [
            f'<text x="{self.x(v):.1f}" y="{bottom + 15}" fill="{INK}" text-anchor="middle">{v:g}'
            "</text>"
            for v in x_ticks
        ]
        middle_x, middle_y = (LEFT + right) / 2, (TOP + bottom) / 2
        parts += [
            f'<text x="{middle_x}" y="{HEIGHT - 4}" fill="{INK}" text-anchor="middle">{x_title}'
            "</text>",
            f'<text transform="translate(11 {middle_y}) rotate(-90)" fill="{INK}" '
            f'text-anchor="middle">{y_title}</text>',
        ]
        return "".join(parts)


def _ticks(bounds: tuple[float, float], most: int = 5) -> list[float]:
    """Round numbers between two."""
    from math import ceil, floor, log10

    low, high = bounds
    raw = (high - low) / most
    base = 10 ** floor(log10(raw))
    step = next(base * factor for factor in (1, 2, 5, 10) if base * factor >= raw)
    return [round(i * step, 10) for i in range(ceil(low / step), floor(high / step) + 1)]


def _dot(x: float, y: float, colour: str, name: str) -> str:
    title = f"<title>{name}</title>" if name else ""
    style = f'fill="{colour}" fill-opacity=".75"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" {style}>{title}</circle>'


def _svg(parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="11">{"".join(parts)}</svg>'
    )
