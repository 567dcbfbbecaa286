"""Seconds against numbers of something, as an SVG of panels with logarithmic axes."""

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
WIDTH, HEIGHT, LEGEND_LINE = 460, 320, 16
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 40
Points = Sequence[tuple[int, float]]  # number, seconds


def svg(panels: Mapping[str, Mapping[str, Points]], axis: str) -> str:
    """The panels side by side, the legend below.

    Args:
        panels: series by name, by the panel's title.
        axis: what the numbers count.
    """
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    drawn = [_panel(i * WIDTH, title, series, colours, axis) for i, (title, series) in enumerate(panels.items())]
    legend = [
        f'<rect x="{LEFT}" y="{HEIGHT + i * LEGEND_LINE}" width="12" height="4" fill="{colour}"/>'
        f'<text x="{LEFT + 18}" y="{HEIGHT + i * LEGEND_LINE + 6}">{escape(name)}</text>'
        for i, (name, colour) in enumerate(colours.items())
    ]
    width, height = WIDTH * max(len(drawn), 1), HEIGHT + LEGEND_LINE * len(legend)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join([*drawn, *legend])
        + "\n</svg>\n"
    )


def _panel(left: float, title: str, series: Mapping[str, Points], colours: Mapping[str, str], axis: str) -> str:
    """Axes, decades, and a line with dots for every series."""
    numbers = sorted({n for points in series.values() for n, _ in points})
    seconds = [value for points in series.values() for _, value in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    high = max(high, low + 1)
    spread = math.log(numbers[-1] / numbers[0]) or 1.0

    def x(n: int) -> float:
        return left + LEFT + (WIDTH - LEFT - RIGHT) * math.log(n / numbers[0]) / spread

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - low) / (high - low)

    parts = [f'<text x="{left + LEFT}" y="{TOP - 12}" font-size="13">{escape(title)}</text>']
    for decade in range(low, high + 1):
        height = y(10.0**decade)
        parts += [
            f'<line x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="#ddd"/>',
            f'<text x="{left + LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{_duration(decade)}</text>',
        ]
    for n in numbers:
        parts.append(f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{n}</text>')
    middle = left + (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - BOTTOM + 30}" text-anchor="middle">{escape(axis)}</text>')
    for name, points in series.items():
        places = [(x(n), y(value)) for n, value in points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="1.5"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colours[name]}"/>' for a, b in places]
    return "\n".join(parts)


def _duration(decade: int) -> str:
    """A power of ten of seconds."""
    if decade >= 0:
        return f"{10**decade} s"
    return f"{10 ** (decade + 3)} ms" if decade >= -3 else f"{10 ** (decade + 6)} µs"
