"""The pages about access to other companies, over HTTP: the form, the upload, the queue (T5 to T7,
S70, S74, S76)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from fontTools.ttLib import TTFont
from fpdf import FPDF
from pypdf import PdfReader
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from idp.directory.document_kinds import MAX_BYTES
from tests.console.access_story import SIGNED, Story, person
from tests.world import AMARA, BEN, DANA, HANA, OLU, Visitor, World

ASKED = {
    "email": BEN,
    "company": "Harbor Credit Union",
    "products": "lms",
    "end": "2027-06-30",
    "reason": "Covers for a colleague.",
}
NAMES = "Ștefan Łukasz 山田"


@pytest.fixture
def story(world: World) -> Story:
    return Story(world)


def inside(world: World, email: str = AMARA, path: str = "/manage/northwind") -> Visitor:
    browser = world.browser()
    assert browser.enter(path, email).status_code == 200
    return browser


def token(browser: Visitor, path: str) -> str:
    page = browser.get(path)
    assert page.status_code == 200, page.text
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[-1])


def post(browser: Visitor, path: str, shown_at: str | None = None, **form: Any) -> TestResponse:
    return send(browser, path, {"csrf_token": token(browser, shown_at or path), **form})


def send(browser: Visitor, path: str, fields: dict[str, Any]) -> TestResponse:
    """As a browser sends a form with a file."""
    boundary, body = encode_multipart(fields)
    content_type = f"multipart/form-data; boundary={boundary}"
    return browser.client.post(path, data=body, content_type=content_type)


def upload(browser: Visitor, story: Story, data: bytes, name: str = "form.pdf") -> TestResponse:
    here = f"/manage/northwind/access/{story.id}"
    return post(browser, f"{here}/upload", here, form=FileStorage(BytesIO(data), name))


def test_the_whole_way_by_its_pages(either_world: World) -> None:
    world, day = either_world, either_world.clock()
    asker = inside(world)
    made = post(asker, "/manage/northwind/access/new", **ASKED)
    assert made.status_code == 303, made.text
    story = Story(world, made.headers["Location"].rpartition("/")[2])
    assert upload(asker, story, SIGNED).status_code == 303
    operator = inside(world, OLU, "/operate")
    there = f"/operate/access/{story.id}"
    assert "Ben Castillo" in operator.get("/operate/access").text
    assert 'value="harbor"' in operator.get(there).text
    wanted = {"company": "harbor", "end": "2027-06-30"}
    assert post(operator, f"{there}/approve", there, **wanted).status_code == 303
    hana = inside(world, HANA, "/manage/harbor")
    here = f"/manage/harbor/access/{story.id}"
    page = hana.get(f"{here}/roles").text
    role = re.findall(r'value="(\w+)"[^>]*><span class="choice-main">Member advisor', page)
    assert post(hana, f"{here}/roles", roles=role, kind="customer").status_code == 303
    assert story.status == "active"
    assert story.row.ends_at is not None
    assert story.row.ends_at > day
    assert post(hana, f"{here}/end").status_code == 303
    assert story.status == "ended"


def test_what_was_typed_is_kept_beside_what_is_wrong(world: World) -> None:
    browser = inside(world)
    wrong = {**ASKED, "email": HANA, "end": "yesterday"}
    page = post(browser, "/manage/northwind/access/new", **wrong)
    assert page.status_code == 422
    assert "year-month-day" in page.text
    page = post(browser, "/manage/northwind/access/new", **{**wrong, "end": ""})
    assert page.status_code == 422
    assert "Nobody who works here has this address." in page.text
    assert "Covers for a colleague." in page.text
    assert 'aria-describedby="email-error"' in page.text


def text_of(pdf: bytes) -> str:
    """As it was written; the reader says a zero before a character of the second font."""
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return text.replace("\x00", "")


def test_the_form_is_printed_with_what_was_asked_in_any_script(story: Story) -> None:
    story.world.run("UPDATE users SET name = :n WHERE email = :e", n=NAMES, e=BEN)
    story.ask(products=("lms", "payments"), reason="Învățare\nи обучение")
    browser = inside(story.world)
    answer = browser.get(f"/manage/northwind/access/{story.id}/form.pdf")
    assert answer.content_type == "application/pdf"
    text = "".join(text_of(answer.data).split())
    for said in (NAMES, BEN, "Northwind Lending", "Harbor Credit Union", "Amara Okafor"):
        assert "".join(said.split()) in text
    for said in ("LMS,SecurePayments", "Învățare", "иобучение", story.id, "Signature"):
        assert said in text
    again = browser.get(f"/manage/northwind/access/{story.id}/form.pdf")
    assert again.data == answer.data


def test_the_form_carries_the_shapes_of_its_letters_and_not_how_they_vary(story: Story) -> None:
    story.ask()
    answer = inside(story.world).get(f"/manage/northwind/access/{story.id}/form.pdf")
    printed: Any = PdfReader(BytesIO(answer.data)).pages[0]
    fonts = printed["/Resources"]["/Font"]
    [font] = [each.get_object()["/DescendantFonts"][0] for each in fonts.values()]
    file = TTFont(BytesIO(font["/FontDescriptor"]["/FontFile2"].get_data()))
    shapes = [file["glyf"][name] for name in file.getGlyphOrder()]
    assert sum(shape.numberOfContours != 0 for shape in shapes) > 40
    assert len(answer.data) < 16_000
    assert "gvar" not in file


@pytest.mark.parametrize(("reason", "is_wide"), [("Învățare\nи обучение", False), ("字", True)])
def test_the_wide_font_is_opened_for_who_needs_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, reason: str, is_wide: bool
) -> None:
    """It takes 90 MB and half a second, where the rest takes a tenth."""
    opened: list[str] = []
    add_font = FPDF.add_font

    def noted(page: FPDF, family: str, style: str, path: str) -> None:
        opened.append(family)
        add_font(page, family, style, path)

    monkeypatch.setattr(FPDF, "add_font", noted)
    story.ask(reason=reason)
    inside(story.world).get(f"/manage/northwind/access/{story.id}/form.pdf")
    assert opened == (["text", "han"] if is_wide else ["text"])


def test_the_form_speaks_the_language_of_who_prints_it(story: Story) -> None:
    story.ask()
    browser = inside(story.world)
    here = f"/manage/northwind/access/{story.id}/form.pdf"
    answer = browser.get(here, **{"Accept-Language": "es"})
    assert "Solicituddeaccesoaotraempresa" in "".join(text_of(answer.data).split())


@pytest.mark.parametrize("reason", ["x" * 999, "\n" * 900 + "x", "字" * 999])
def test_a_long_reason_breaks_the_page_and_not_the_form(story: Story, reason: str) -> None:
    story.ask(reason=f"a{reason}")
    answer = inside(story.world).get(f"/manage/northwind/access/{story.id}/form.pdf")
    assert answer.status_code == 200
    assert "Signature" in text_of(answer.data)


DISGUISES = {
    "nothing": b"",
    "a page": b"<html><script>alert(1)</script>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "cut short": SIGNED[:-40],
    "a page behind the form": SIGNED + b"<script>alert(1)</script>",
    "an archive behind the form": SIGNED + b"PK\x03\x04 PK\x05\x06" + bytes(18),
    "a program": b"MZ" + bytes(200),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_what_is_no_form_is_refused_whatever_it_says_it_is(story: Story, disguise: str) -> None:
    story.ask()
    page = upload(inside(story.world), story, DISGUISES[disguise])
    assert page.status_code == 422
    assert 'id="form-error"' in page.text
    assert story.status == "draft"
    assert story.world.run("SELECT count(*) FROM documents") == [(0,)]


def padded(size: int) -> bytes:
    head, tail = SIGNED[:9], SIGNED[9:]
    return head + b"%" + b" " * (size - len(SIGNED) - 2) + b"\n" + tail


def test_ten_megabytes_are_taken_and_one_byte_more_is_not(story: Story) -> None:
    story.ask()
    browser = inside(story.world)
    assert upload(browser, story, padded(MAX_BYTES + 1)).status_code == 422
    assert story.status == "draft"
    assert upload(browser, story, padded(MAX_BYTES)).status_code == 303
    assert story.world.run("SELECT size FROM documents") == [(MAX_BYTES,)]


def test_much_more_is_not_even_read(story: Story) -> None:
    story.ask()
    browser = inside(story.world)
    here = f"/manage/northwind/access/{story.id}"
    data = {
        "csrf_token": token(browser, here),
        "form": FileStorage(BytesIO(bytes(MAX_BYTES + 70_000)), "form.pdf"),
    }
    assert send(browser, f"{here}/upload", data).status_code == 413


def test_no_other_page_reads_more_than_before_and_this_one_only_from_who_is_signed_in(
    story: Story,
) -> None:
    story.ask()
    large = {"form": (BytesIO(bytes(70_000)), "form.pdf"), "reason": "x"}
    here = f"/manage/northwind/access/{story.id}"
    assert story.world.browser().client.post(f"{here}/upload", data=large).status_code == 413
    large = {"form": (BytesIO(bytes(70_000)), "form.pdf"), "reason": "x"}
    browser = inside(story.world)
    assert browser.client.post("/manage/northwind/access/new", data=large).status_code == 413


def test_a_form_without_its_token_is_refused(story: Story) -> None:
    story.ask()
    browser = inside(story.world)
    data = {"form": (BytesIO(SIGNED), "form.pdf")}
    path = f"/manage/northwind/access/{story.id}/upload"
    assert browser.client.post(path, data=data).status_code == 403
    assert story.status == "draft"


@pytest.mark.parametrize(
    ("email", "start", "here"),
    [
        (AMARA, "/manage/northwind", "/manage/northwind/access/"),
        (OLU, "/operate", "/operate/access/"),
    ],
)
def test_a_signed_form_is_saved_and_never_shown(
    story: Story, email: str, start: str, here: str
) -> None:
    story.ask().submit()
    browser = inside(story.world, email, start)
    answer = post(browser, f"{here}{story.id}/signed", here + story.id)
    assert answer.data == SIGNED
    assert answer.content_type == "application/pdf"
    headers = answer.headers
    assert headers["Content-Disposition"] == f'attachment; filename="{story.id}-signed.pdf"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert browser.get(f"{here}{story.id}/signed").status_code == 405
    [event] = {each["actor"] for each in story.world.audit("access.form_read")} - {None}
    assert event == person(story.world, email)


STEPS = ("", "/form.pdf", "/end", "/roles", "/upload", "/signed", "/withdraw")


def test_another_companys_requests_do_not_exist(either_world: World) -> None:
    """Of the company that asks before the approval, and of the one that is entered its asking part
    even then (S76)."""
    world = either_world
    story = Story(world).ask().submit()
    before = world.run("SELECT * FROM access_requests")
    hana, stranger = inside(world, HANA, "/manage/harbor"), "no-such-request"
    csrf = token(hana, "/manage/harbor/access/new")
    for step in STEPS:
        for method in ("get", "post"):
            answers = [
                getattr(hana.client, method)(
                    f"/manage/harbor/access/{key}{step}", data={"csrf_token": csrf}
                )
                for key in (story.id, stranger)
            ]
            statuses = {answer.status_code for answer in answers}
            assert statuses in ({404}, {405}), (step, method, statuses)
            assert all("Castillo" not in answer.text for answer in answers)
        assert hana.get(f"/manage/northwind/access/{story.id}{step}").status_code in (404, 405)
    assert world.run("SELECT * FROM access_requests") == before
    story.approve()
    for step in ("/form.pdf",):
        assert hana.get(f"/manage/harbor/access/{story.id}{step}").status_code == 404
    for step in ("/upload", "/signed", "/withdraw"):
        sent = {"csrf_token": csrf}
        path = f"/manage/harbor/access/{story.id}{step}"
        assert hana.client.post(path, data=sent).status_code == 404, step
    assert story.status == "approved"


def test_who_has_no_part_in_it_sees_nothing_of_it(story: Story) -> None:
    story.opened()
    for email, path in ((BEN, "/manage/northwind/access"), (DANA, "/manage/northwind/access")):
        assert story.world.browser().enter(path, email).status_code == 403
    browser = inside(story.world)
    assert browser.get("/operate/access").status_code == 404
    assert browser.get(f"/operate/access/{story.id}").status_code == 404


def test_a_guest_has_no_console_at_the_company_that_is_entered(story: Story) -> None:
    story.ask(email=AMARA).submit().approve().set_up()
    browser = inside(story.world)
    assert browser.get("/manage/harbor").status_code in (403, 404)


def test_each_side_is_told_what_it_may_know(story: Story) -> None:
    story.opened().end_there()
    asking = inside(story.world).get(f"/manage/northwind/access/{story.id}").text
    entered = inside(story.world, HANA, "/manage/harbor")
    receiving = entered.get(f"/manage/harbor/access/{story.id}").text
    operators = inside(story.world, OLU, "/operate").get(f"/operate/access/{story.id}").text
    seen = {
        name: [who in text.partition('id="history"')[2] for who in ("Amara", "Olu", "Hana")]
        for name, text in (("asks", asking), ("is entered", receiving), ("decides", operators))
    }
    assert seen == {
        "asks": [True, False, False],
        "is entered": [False, False, True],
        "decides": [True, True, True],
    }
    assert "Signed form uploaded" in asking
    assert "Signed form uploaded" not in receiving
    assert "signed" not in receiving.lower().replace("signed-in", "")


def test_a_draft_is_not_the_operators_to_see(story: Story) -> None:
    story.ask()
    operator = inside(story.world, OLU, "/operate")
    assert operator.get(f"/operate/access/{story.id}").status_code == 404
    assert "Castillo" not in operator.get("/operate/access?status=draft").text


def test_a_decision_needs_a_recent_sign_in_and_keeps_what_was_filled_in(story: Story) -> None:
    story.ask().submit()
    operator = inside(story.world, OLU, "/operate")
    there = f"/operate/access/{story.id}"
    story.world.clock.move(901)
    answer = post(operator, f"{there}/approve", there, company="harbor", end="")
    page = operator.follow(answer)
    assert 'name="password"' in page.text
    page = operator.follow(operator.submit(page, email=OLU, password="correct-horse-latchkey-9"))
    assert story.status == "submitted"
    assert operator.submit(page).status_code == 303
    assert story.status == "approved"


def test_the_page_shows_both_names_and_asks_which_company_is_meant(story: Story) -> None:
    story.ask(company="Harbour <b>Bank").submit()
    browser, here = inside(story.world, OLU, "/operate"), f"/operate/access/{story.id}"
    asked = post(browser, f"{here}/approve", here, company="harbor")
    assert asked.status_code == 422
    assert "Harbour &lt;b&gt;Bank" in asked.text
    assert "Harbor Credit Union (harbor)" in asked.text
    assert 'type="checkbox" id="confirm" name="confirm" value="harbor"' in asked.text
    assert 'href="#confirm"' in asked.text
    assert story.status == "submitted"
    post(browser, f"{here}/approve", here, company="harbor", confirm="harbor")
    assert story.status == "approved"


def test_the_page_says_how_long_the_form_was_signed_for(story: Story) -> None:
    story.ask(end=datetime(2027, 7, 1, tzinfo=UTC).timestamp()).submit()
    browser, here = inside(story.world, OLU, "/operate"), f"/operate/access/{story.id}"
    page = browser.get(here)
    assert 'value="2027-06-30"' in page.text
    assert "The form was signed for no longer than" in page.text
    for end in ("", "2027-07-01"):
        refused = post(browser, f"{here}/approve", here, company="harbor", end=end)
        assert refused.status_code == 422
        assert "choose that day or an earlier" in refused.text
    assert story.status == "submitted"


@pytest.mark.parametrize("side", ["asking", "receiving"])
def test_lists_go_on_from_page_to_page(
    story: Story, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp.directory import access_lists

    monkeypatch.setattr(access_lists, "PAGE", 1)
    for email in (BEN, DANA):
        Story(story.world).opened(email=email)
        story.world.clock.move(1)
    who, slug = (AMARA, "northwind") if side == "asking" else (HANA, "harbor")
    browser = inside(story.world, who, f"/manage/{slug}")
    first = browser.get(f"/manage/{slug}/access?side={side}&status=active").text
    assert "Dana" in first
    assert "Castillo" not in first
    following = re.findall(r'href="(\?[^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = browser.get(f"/manage/{slug}/access{following}").text
    assert "Castillo" in second
    assert 'rel="next"' not in second
    forged = browser.get(f"/manage/{slug}/access?side={side}&status=ended&{following[1:]}")
    stolen = following.replace("status=active", "status=ended")
    assert browser.get(f"/manage/{slug}/access{stolen}").status_code == 400
    assert forged.status_code in (200, 400)


def test_what_a_date_has_ended_is_shown_so(story: Story) -> None:
    story.ask().submit().approve(end=story.world.clock() + 60)
    story.set_up()
    story.world.clock.move(60)
    browser = inside(story.world)
    assert "Ended" in browser.get(f"/manage/northwind/access/{story.id}").text
    assert "Castillo" in browser.get("/manage/northwind/access?status=ended").text
    assert "Castillo" not in browser.get("/manage/northwind/access?status=active").text
    assert browser.get(f"/manage/northwind/access/{story.id}/end").status_code == 409


def test_markup_in_what_was_typed_stays_text(story: Story) -> None:
    story.ask(company="<img src=x onerror=alert(1)>", reason="{{7*7}}<script>alert(1)</script>")
    story.submit()
    for email, start, path in (
        (AMARA, "/manage/northwind", f"/manage/northwind/access/{story.id}"),
        (OLU, "/operate", f"/operate/access/{story.id}"),
    ):
        text = inside(story.world, email, start).get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "{{7*7}}" in text
