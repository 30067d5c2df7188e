"""A bar chart of one benchmark as SVG: medians, and the intervals they lie in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape

from tests.benchmarks.figures import Figure
from tests.benchmarks.variants import OURS

_WIDTH: Final = 860
_ROW: Final = 28
_LEFT: Final = 330
_RIGHT: Final = 90
_TOP: Final = 34
_OURS: Final = "#1b6ac9"
_OTHERS: Final = "#9aa5b1"
_TEXT: Final = 'font-family="sans-serif" font-size="13" fill="#333"'


def chart(title: str, figures: Mapping[str, Figure], form: str) -> str:
    """Return the chart of *figures*, the largest first, with values written in *form*."""
    scale = (_WIDTH - _LEFT - _RIGHT) / max(figure.high for figure in figures.values())
    height = _TOP + _ROW * len(figures) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="21" {_TEXT} font-weight="bold">{escape(title)}</text>',
    ]
    ordered = sorted(figures.items(), key=lambda item: -item[1].median)
    for row, (name, figure) in enumerate(ordered):
        lines += _bar(name, figure, _TOP + _ROW * row, scale, form)
    return "\n".join([*lines, "</svg>", ""])


def _bar(name: str, figure: Figure, y: int, scale: float, form: str) -> list[str]:
    color = _OURS if name.startswith(OURS) else _OTHERS
    low, high = _LEFT + figure.low * scale, _LEFT + figure.high * scale
    middle, width = y + _ROW / 2, figure.median * scale
    return [
        f'<text x="{_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end" {_TEXT}>{escape(name)}</text>',
        f'<rect x="{_LEFT}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" fill="{color}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="#000"/>',
        f'<text x="{high + 6:.1f}" y="{middle + 4:.1f}" {_TEXT}>{form.format(figure.median)}</text>',
    ]
