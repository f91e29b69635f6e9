"""Colours that people choose, and whether letters on them can be read (WCAG 2.2 section 1.4.3)."""

from __future__ import annotations

import re

READABLE = 4.5


def is_color(text: str) -> bool:
    return re.fullmatch(r"#[0-9a-fA-F]{6}", text) is not None


def ink(color: str) -> str:
    """Black or white, whichever has more contrast on the colour."""
    return "#ffffff" if _luminance(color) < 0.179 else "#000000"


def contrast_with_white(color: str) -> float:
    """From 1 to 21."""
    return 1.05 / (_luminance(color) + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
