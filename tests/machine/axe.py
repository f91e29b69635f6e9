"""axe-core in a page: who would be barred from it, and by what (WCAG 2.2 AA)."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Of what is in order it need not tell us, which would take it longest.
RUN = """tags => axe.run({runOnly: tags, resultTypes: ["violations"]}).then(
    found => found.violations.map(v => [v.id, v.nodes.map(n => [n.html, n.failureSummary])]))"""


def barriers(page: Page) -> list[Any]:
    """Each rule that the page breaks as it is shown now, with the places where it does."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return list(page.evaluate(RUN, STANDARDS))
