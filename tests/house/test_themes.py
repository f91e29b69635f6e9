"""The dark theme differs from the light one by colours alone, so that what else would bar somebody
from a page is the same in both, and looked for in one (tests/machine/axe.py)."""

from __future__ import annotations

import re
from pathlib import Path

import flask_bootstrap
import pytest

ROOT = Path(__file__).parents[2]
SHEETS = sorted(
    [*ROOT.glob("idp/web/static/*.css"), *ROOT.glob("relying_parties/*/static/*.css")],
)
OTHERS = [
    *(path for path in ROOT.glob("idp/web/**/*.py") if path.is_file()),
    *ROOT.glob("idp/web/static/*.js"),
    *ROOT.glob("relying_parties/**/*.py"),
    *ROOT.glob("relying_parties/*/static/*.js"),
    *ROOT.glob("templates/**/*.html"),
    *ROOT.glob("relying_parties/*/templates/*.html"),
    *(Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5").glob("*/bootstrap.min.*s"),
]
ASKS_FOR_THE_THEME = re.compile(r"prefers-color-scheme|light-dark\(|matchMedia")
DARK = re.compile(r"@media \(prefers-color-scheme: dark\) (\{(?:[^{}]|\{[^{}]*\})*\})")
DECLARATION = re.compile(r"(?<=[{;])\s*([\w-]+):\s*((?:\"[^\"]*\"|[^;{}\"])+)")
COLOUR = re.compile(r"#\w{3,8}|oklch\(from .+\)|color-mix\(.+\)")
PICTURE = re.compile(r'url\("data:image/svg\+xml,.+"\)')


def dark_declarations(sheet: Path) -> list[tuple[str, str]]:
    blocks = DARK.findall(sheet.read_text())
    return [(name, value.strip()) for block in blocks for name, value in DECLARATION.findall(block)]


def test_a_theme_is_asked_for_by_few_sheets_and_nothing_else() -> None:
    """Whoever is not looked into below has no theme of its own."""
    asking = [path for path in OTHERS if ASKS_FOR_THE_THEME.search(path.read_text())]
    assert len(OTHERS) > 150
    assert asking == []


def test_no_page_asks_how_the_screen_is_turned() -> None:
    """WCAG 1.3.4 (tests/machine/axe.py doesn't look into the sheets for it)."""
    assert [path for path in (*SHEETS, *OTHERS) if "orientation:" in path.read_text()] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_what_the_dark_theme_changes_is_a_colour_or_a_picture_behind(sheet: Path) -> None:
    """Each a property of our own, which is used as what it is or counts for nothing."""
    text = sheet.read_text()
    assert ASKS_FOR_THE_THEME.findall(DARK.sub("", text)) == []
    for name, value in dark_declarations(sheet):
        kind = PICTURE if name.endswith(("-image", "-img")) else COLOUR
        assert name.startswith("--"), f"{sheet.name}: {name}"
        assert kind.fullmatch(value), f"{sheet.name}: {name}: {value}"


def test_the_dark_theme_is_seen() -> None:
    found = [each for sheet in SHEETS for each in dark_declarations(sheet)]
    assert ("--ground", "#131211") in found
    assert len(found) > 40
