"""axe-core in a page: who would be barred from it, and by what (WCAG 2.2 AA)."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Error, Page

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = "cat.color"
WIDTHS = (1280, 390)
# Of what is in order it need not tell us, which would take it longest; and style sheets it need not
# fetch, which only a rule about turned screens asks for: none of ours names an orientation.
RUN = """only => axe.run({runOnly: only, resultTypes: ["violations"], preload: false}).then(
    found => found.violations.map(v => [v.id, v.nodes.map(n => [n.html, n.failureSummary])]))"""
# It reads each colour anew by a library of its own, thousands of times a page, of a dozen colours:
# what one came to it is told again.
KNOWN_COLOURS = """;(() => {
    const color = axe.commons.color.Color.prototype, parse = color.parseString, known = new Map();
    color.parseString = function (text) {
        if (known.has(text)) return Object.assign(this, known.get(text));
        parse.call(this, text);
        known.set(text, {r: this.r, g: this.g, b: this.b, alpha: this.alpha});
        return this;
    };
})()"""
RUN_ABOUT_COLOURS = f"""([tags, colours]) => ({RUN})({{type: "rule", values: axe.getRules(tags)
    .filter(rule => rule.tags.includes(colours)).map(rule => rule.ruleId)}})"""


def barriers(page: Page) -> list[Any]:
    """Each rule that the page breaks as it is shown now, with the places where it does."""
    return _found(page, RUN, STANDARDS)


def barriers_of_colour(page: Page) -> list[Any]:
    """The same of the rules about colours alone."""
    return _found(page, RUN_ABOUT_COLOURS, [STANDARDS, OF_COLOURS])


def look_at(page: Page) -> None:
    """Nobody is barred and nothing is wider than the window, in both themes and widths.

    What is the same in both themes is looked at in one: they differ by nothing but colours
    (tests/house/test_themes.py).
    """
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="light")
        assert barriers(page) == [], f"{page.url}, light at {width} px"
        page.emulate_media(color_scheme="dark")
        assert barriers_of_colour(page) == [], f"{page.url}, dark at {width} px"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})


def _found(page: Page, run: str, about: Any) -> list[Any]:
    """Of the page that a click led to, though it may come only while the one before is looked at:
    there axe is not yet."""
    try:
        if not _is_there(page):
            page.evaluate(AXE_SCRIPT + KNOWN_COLOURS)
        return list(page.evaluate(run, about))
    except Error:
        page.wait_for_load_state()
        if _is_there(page):
            raise
    return _found(page, run, about)


def _is_there(page: Page) -> bool:
    return bool(page.evaluate("'axe' in window"))
