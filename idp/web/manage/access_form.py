"""The form to print and sign, filled in: one page of A4 (product.md T5).

Names of any of the scripts that the two fonts have are printed as they are written: Latin, Greek
and Cyrillic in all their marks, Chinese, Japanese and Korean. The same request gives the same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from flask_babel import format_date
from flask_babel import gettext as _

from idp.directory.access_lists import Listed
from idp.web.presentation import last_day

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN = 22.0  # millimetres, as all lengths here
LABEL = 46.0
DECLARATION = 90.0
INK, QUIET, LINE = 20, 95, 190  # greys
# How a font's letters vary and take each other's places, of which this page asks nothing: half of
# the work, and two thirds of the file.
UNUSED = {"gvar", "HVAR", "MVAR", "STAT", "avar", "fvar", "GDEF", "GPOS", "GSUB"}


def drawn(listed: Listed, names: Mapping[str, str], products: Mapping[str, str]) -> bytes:
    """`names` of people and `products` by their keys."""
    request = listed.request
    written = (listed.asking, listed.name, listed.email, request.receiving_name, request.reason)
    words = "".join((*written, *names.values(), *products.values()))
    page = _page(datetime.fromtimestamp(request.asked_at, UTC), words)
    page.set_title(_("Request for access to another company"))
    _heading(page, request.id)
    asked_on = format_date(datetime.fromtimestamp(request.asked_at, UTC), "long", rebase=False)
    keys = request.products.split()
    _section(page, _("Who asks"))
    _row(page, _("Company"), listed.asking_in_full)
    _row(page, _("Asked for by"), names.get(request.asked_by, ""))
    _row(page, _("On"), str(asked_on))
    _section(page, _("For whom"))
    _row(page, _("Name"), listed.name)
    _row(page, _("E-mail address"), listed.email)
    _section(page, _("For what"))
    _row(page, _("Company to enter"), request.receiving_name)
    _row(page, _("Products"), ", ".join(products.get(key, key) for key in keys))
    _row(page, _("Until"), last_day(request.wanted_end) if request.wanted_end else _("Open end"))
    _row(page, _("Reason"), request.reason)
    _declaration(page, listed)
    return bytes(page.output())


def _page(made_at: datetime, words: str) -> FPDF:
    """The font of a whole continent takes 90 MB to look at: it is for `words` that need it."""
    from fpdf import FPDF

    page = FPDF(format="A4")
    page.set_creation_date(made_at)
    page.set_margins(MARGIN, MARGIN)
    page.set_auto_page_break(auto=True, margin=MARGIN)
    latin, han = _fonts()
    page.add_font("text", "", latin)
    text: Any = page.fonts["text"]
    if any(letter.isprintable() and ord(letter) not in text.cmap for letter in words):
        page.add_font("han", "", han)
        page.set_fallback_fonts(["han"])
    for font in page.fonts.values():
        _lighten(font)
    page.add_page()
    return page


def _lighten(font: Any) -> None:
    for table in UNUSED & set(font.ttfont.keys()):
        del font.ttfont[table]


@cache
def _fonts() -> tuple[str, str]:
    latin = files("fontpkg_noto_sans") / "files" / "NotoSans[wdth,wght].ttf"
    han = files("noto_cjk_sans_jp_regular") / "NotoSansCJKjp-Regular.otf"
    return str(latin), str(han)


def _heading(page: FPDF, request_id: str) -> None:
    page.set_text_color(INK)
    page.set_font("text", "", 18)
    page.multi_cell(0, 8, _("Request for access to another company"), new_x="LMARGIN", new_y="NEXT")
    page.set_font("text", "", 8.5)
    page.set_text_color(QUIET)
    page.multi_cell(0, 6, _("Request %(number)s", number=request_id), new_x="LMARGIN", new_y="NEXT")


def _section(page: FPDF, title: str) -> None:
    page.ln(5)
    page.set_font("text", "", 12)
    page.set_text_color(INK)
    page.multi_cell(0, 6, title, new_x="LMARGIN", new_y="NEXT")
    _rule(page)


def _rule(page: FPDF) -> None:
    page.set_draw_color(LINE)
    page.set_line_width(0.2)
    page.line(MARGIN, page.get_y(), page.w - MARGIN, page.get_y())
    page.ln(1.5)


def _row(page: FPDF, label: str, value: str) -> None:
    page.set_font("text", "", 9)
    page.set_text_color(QUIET)
    top = page.get_y()
    page.multi_cell(LABEL, 5.5, label, new_x="RIGHT", new_y="TOP", align="L")
    page.set_font("text", "", 10)
    page.set_text_color(INK)
    page.set_xy(MARGIN + LABEL, top)
    page.multi_cell(0, 5.5, value, new_x="LMARGIN", new_y="NEXT", align="L")
    page.ln(0.8)


def _declaration(page: FPDF, listed: Listed) -> None:
    """Both signatures stay on one page with what they are for."""
    if page.will_page_break(DECLARATION):
        page.add_page()
    _section(page, _("Declaration"))
    page.set_font("text", "", 9.5)
    page.multi_cell(
        0,
        5,
        _(
            "We ask that this person may use the products above in the company to enter, for as "
            "long as is said above. We answer for what they do there, and tell at once when they "
            "no longer need it or no longer work for us."
        ),
        new_x="LMARGIN",
        new_y="NEXT",
        align="L",
    )
    _signature(page, _("For %(company)s", company=listed.asking))
    _signature(page, _("The person"))


def _signature(page: FPDF, who: str) -> None:
    page.ln(20)
    width = page.w - 2 * MARGIN
    page.set_draw_color(INK)
    page.set_line_width(0.25)
    top = page.get_y()
    columns = ((0.0, 0.38, _("Name")), (0.41, 0.17, _("Date")), (0.61, 0.39, _("Signature")))
    page.set_font("text", "", 8)
    page.set_text_color(QUIET)
    for start, share, label in columns:
        left = MARGIN + start * width
        page.line(left, top, left + share * width, top)
        page.set_xy(left, top + 0.8)
        page.cell(share * width, 4, label)
    page.set_xy(MARGIN, top - 13)
    page.set_font("text", "", 9.5)
    page.set_text_color(INK)
    page.cell(0, 5, who)
    page.set_xy(MARGIN, top + 5)
