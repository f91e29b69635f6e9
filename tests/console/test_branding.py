"""Branding: shown wherever the company is, and nothing gets into a page by it."""

from __future__ import annotations

import re
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from werkzeug.test import TestResponse

from idp.directory import branding, pictures
from idp.directory.acting import Forbidden
from idp.directory.branding import Wanted
from tests.console.administering import administering, with_roles
from tests.world import AMARA, BEN, DANA, HANA, PRIYA, Visitor, World

BRANDING = "/manage/northwind/branding"
CHOSEN = {"display_name": "Northwind", "accent": "#0F6B5C", "product-payments": "Payouts"}


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 40), **more: Any) -> bytes:
    made = BytesIO()
    Image.new("RGB", size, "#a8481c").save(made, kind, **more)
    return made.getvalue()


def save(
    browser: Visitor, page: TestResponse, logo: bytes | None = None, **fields: str
) -> TestResponse:
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    file = {"logo": (BytesIO(logo), "logo.svg")} if logo is not None else {}
    return browser.client.post(
        BRANDING,
        data={**hidden, **fields, **file},
        content_type="multipart/form-data",
        headers=browser.headers,
    )


def chosen(world: World, logo: bytes | None = None, **fields: str) -> TestResponse:
    browser = world.browser()
    saved = save(browser, browser.enter(BRANDING), logo, **{**CHOSEN, **fields})
    assert saved.status_code == 303, saved.text
    return browser.follow(saved)


def test_a_company_chooses_its_name_colour_logo_and_words(either_world: World) -> None:
    page = chosen(either_world, picture())
    assert "The branding is saved." in page.text
    assert 'href="/colors/northwind.css"' in page.text
    assert re.search(r'tenant-logo" src="/logos/[0-9a-f]{64}\.png"', page.text)
    assert ":root:root{--accent:#0f6b5c" in either_world.get("/colors/northwind.css").text
    event = either_world.audit("branding.changed")[0]
    assert event["before"]["display_name"] == ""
    assert event["after"]["product_names"] == {"payments": "Payouts"}
    browser = either_world.browser()
    cleared = save(browser, browser.enter(BRANDING), drop_logo="yes")
    assert cleared.status_code == 303
    assert either_world.run("SELECT logo, accent FROM branding") == [(None, "")]


def test_the_sign_in_and_the_choice_show_it_and_other_companies_do_not(world: World) -> None:
    chosen(world, picture())
    named = world.browser()
    page = named.follow(named.authorize(tenant="northwind"))
    assert re.search(r'tenant-logo"[^>]*><span>Northwind</span>', page.text)
    assert "/colors/northwind.css" in page.text
    for tenant in ("harbor", "no-such-company", None):
        other = world.browser()
        page = other.follow(other.authorize(tenant=tenant))
        assert "/logos/" not in page.text
        assert "/colors/" not in page.text
    choice = world.browser().sign_in(PRIYA)
    assert "<strong>Northwind</strong>" in choice.text
    assert choice.text.count('tenant-logo"') == 1
    harbor = world.browser().enter("/manage/harbor", HANA)
    assert "/colors/" not in harbor.text


def test_the_switcher_tells_names_and_logo(either_world: World) -> None:
    chosen(either_world, picture())
    browser = either_world.browser()
    token = browser.tokens(DANA)["access_token"]
    menu: Any = either_world.get("/switcher", Authorization=f"Bearer {token}").json
    assert menu["tenant"]["name"] == "Northwind"
    assert [product["name"] for product in menu["products"]] == ["LMS", "Payouts", "Connections"]
    ((digest,),) = either_world.run("SELECT logo_digest FROM branding")
    assert menu["tenants"][0]["logo_url"].endswith(f"/logos/{digest}.png")
    member_of_two = either_world.browser()
    member_of_two.tokens(PRIYA, tenant="northwind")
    assert f"/logos/{digest}.png" in member_of_two.get("/").text
    token = either_world.browser().tokens(HANA)["access_token"]
    other: Any = either_world.get("/switcher", Authorization=f"Bearer {token}").json
    assert other["products"][1]["name"] == "Secure Payments"


def test_a_logo_is_served_inert(either_world: World) -> None:
    chosen(either_world, picture("JPEG"))
    ((digest,),) = either_world.run("SELECT logo_digest FROM branding")
    served = either_world.get(f"/logos/{digest}.png")
    assert served.data.startswith(b"\x89PNG")
    assert served.headers["Content-Type"] == "image/png"
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert served.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    assert "immutable" in served.headers["Cache-Control"]
    for wrong in ("0" * 64, digest[:-1], "..%2f", f"{digest}.svg"):
        assert either_world.get(f"/logos/{wrong}.png").status_code == 404


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_drawn_anew_and_keeps_nothing_else_of_its_file(kind: str) -> None:
    more: dict[str, Any] = {}
    if kind == "PNG":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Comment", "<script>alert(1)</script>")
    else:
        more["exif"] = Image.Exif()
        more["exif"][0x010E] = "<script>alert(1)</script>"
    sent = picture(kind, (500, 300), **more) + b"<script>alert(1)</script>"
    kept = pictures.drawn_anew(sent)
    assert kept
    assert b"script" not in kept
    with Image.open(BytesIO(kept)) as drawn:
        assert (drawn.format, drawn.size, drawn.info) == ("PNG", (256, 154), {})


def bomb(side: int) -> bytes:
    """A whole PNG of a few bytes that says it is so many pixels a side."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\x00" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script>",
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
        picture()[:60],
        picture("JPEG")[:200],
        picture("PNG", (2001, 10)),
        picture() + b"x" * pictures.MAX_BYTES,
        b"\x89PNG\r\n\x1a\n",
        *(bomb(side) for side in (2001, 10_000, 60_000)),
    ],
    ids=range(14),
)
def test_what_is_no_such_picture_is_refused(world: World, sent: bytes) -> None:
    assert pictures.drawn_anew(sent) is None
    browser = world.browser()
    refused = save(browser, browser.enter(BRANDING), sent, **CHOSEN)
    assert refused.status_code == 422
    assert 'id="logo-error"' in refused.text
    assert 'value="Northwind"' in refused.text
    assert world.run("SELECT count(*) FROM branding") == [(0,)]


def test_a_picture_that_moves_is_refused() -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    for kind in ("PNG", "WEBP"):
        made = BytesIO()
        frames[0].save(made, kind, save_all=True, append_images=frames[1:])
        assert pictures.drawn_anew(made.getvalue()) is None


@pytest.mark.parametrize(
    "color",
    [
        "red",
        "#fff",
        "#0f6b5c;}body{display:none",
        "#0f6b5c}</style><script>",
        "url(//evil.example)",
        "#ffff00",
        "#0f6b5",
        "0f6b5c",
        "#0f6b5c\n",
        "#777777",
    ],
)
def test_what_is_no_readable_colour_is_refused(world: World, color: str) -> None:
    if color.endswith("\n"):
        color = "#0f6b5c\n#"
    browser = world.browser()
    refused = save(browser, browser.enter(BRANDING), accent=color)
    assert refused.status_code == 422
    assert 'id="accent-error"' in refused.text
    assert world.get("/colors/northwind.css").text == ""


def test_a_colour_that_came_in_otherwise_is_not_put_into_a_style_sheet(world: World) -> None:
    chosen(world)
    world.run("UPDATE branding SET accent = '#000}*{display:none'")
    assert world.get("/colors/northwind.css").text == ""


def test_names_are_text_wherever_they_stand(world: World) -> None:
    named = "<b onclick=x>N</b>"
    chosen(world, None, **{"display_name": named, "product-lms": named})
    browser = world.browser()
    pages = [
        browser.enter(BRANDING),
        browser.get("/"),
        world.browser().sign_in(PRIYA),
        (other := world.browser()).follow(other.authorize(tenant="northwind")),
    ]
    for page in pages:
        assert "&lt;b onclick=x&gt;N" in page.text
        assert "<b onclick" not in page.text


@pytest.mark.parametrize("name", ["x" * 61, "a\u202eb", "a\x1bb"])
def test_a_name_that_nobody_can_read_is_refused(world: World, name: str) -> None:
    browser = world.browser()
    for field in ("display_name", "product-lms"):
        refused = save(browser, browser.enter(BRANDING), None, **{field: name})
        assert refused.status_code == 422
        assert f'id="{field}-error"' in refused.text


def test_whoever_saves_second_is_told(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(BRANDING)
    assert save(browser, page, display_name="First").status_code == 303
    told = save(browser, page, display_name="Second")
    assert told.status_code == 409
    assert 'value="First"' in told.text


def test_it_is_for_who_may_and_for_ones_own_company(world: World) -> None:
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    browser = world.browser()
    browser.enter("/manage/northwind", DANA)
    assert browser.get(BRANDING).status_code == 403
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        branding.save(admin, "", Wanted("x", "", {}))
    stranger = world.browser()
    stranger.tokens(BEN)
    assert stranger.get(BRANDING).status_code == 403
    foreign = world.browser()
    foreign.tokens(HANA)
    assert foreign.get(BRANDING).status_code == 404
    assert world.browser().enter(BRANDING, AMARA).status_code == 200
