"""The page that tells products of a sign-out by frames (Front-Channel Logout 1.0)."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from tests.security.protocol import Party, answer_to, of_people, redeem, register
from tests.world import ADDRESSES, AMARA, BEN, ISSUER, Visitor, World, claims_of, sent_back

BACK = f"{ADDRESSES['lms']}/signed-out"
PLAIN = of_people("plain", frontchannel_logout_uri="https://plain.example/gone?a=b")
KNOWING = of_people(
    "knowing",
    frontchannel_logout_uri="https://knowing.example/gone?a=b",
    frontchannel_logout_session_required=True,
)
BOTH = of_people(
    "both",
    frontchannel_logout_uri="https://both.example/gone",
    backchannel_logout_uri="https://both.example/told",
)


def frames(page: TestResponse) -> list[str]:
    return [unescape(src) for src in re.findall(r'<iframe src="([^"]+)"', page.text)]


def directive(page: TestResponse, name: str) -> str:
    found = [part.split() for part in page.headers["Content-Security-Policy"].split(";")]
    return next((" ".join(rest) for first, *rest in found if first == name), "")


def signed_into(world: World, *parties: Party) -> tuple[Visitor, dict[str, str]]:
    """Amara's browser, and her `sid` at each."""
    register(world, *parties)
    visitor, sids = world.browser(), {}
    for party in parties:
        answer = redeem(world, party, sent_back(answer_to(visitor, party))["code"])
        sids[party.client_id] = claims_of((answer.json or {})["id_token"])["sid"]
    return visitor, sids


def signed_out(visitor: Visitor, **asked: str) -> TestResponse:
    page = visitor.get("/logout?" + urlencode(asked))
    return visitor.submit(page, decision="sign_out")


def test_each_product_that_wants_it_has_a_frame_and_no_other(world: World) -> None:
    register(world, of_people("not-opened", frontchannel_logout_uri="https://not-opened.example/x"))
    visitor, sids = signed_into(world, PLAIN, KNOWING, BOTH)
    page = visitor.follow(signed_out(visitor))
    known = urlencode({"iss": ISSUER, "sid": sids["knowing"]})
    assert sorted(frames(page)) == [
        "https://both.example/gone",
        f"https://knowing.example/gone?a=b&{known}",
        "https://plain.example/gone?a=b",
    ]
    assert directive(page, "frame-src") == (
        "https://both.example https://knowing.example https://plain.example"
    )
    assert directive(page, "default-src") == "'none'"
    assert "signed_out.js" not in page.text, "nobody waits to go on"
    assert page.text.count("Told by this page") == 2, "the third answers us"
    assert page.text.count("Being told") == 1


def test_a_page_that_tells_nobody_has_no_frames(world: World) -> None:
    visitor = world.browser()
    visitor.tokens()
    page = visitor.follow(signed_out(visitor))
    assert frames(page) == []
    assert "frame-src" not in page.headers["Content-Security-Policy"]


def test_the_way_back_leads_by_the_page_and_is_a_link(world: World) -> None:
    visitor, _ = signed_into(world, PLAIN)
    visitor.tokens()
    asked = {"client_id": "lms", "post_logout_redirect_uri": BACK, "state": "a b&c"}
    answer = signed_out(visitor, **asked)
    assert answer.headers["Location"] == "/logout/done?" + urlencode(asked)
    page = visitor.follow(answer)
    assert page.status_code == 200
    assert f'id="onward" href="{BACK}?state=a+b%26c"' in page.text
    assert "signed_out.js" in page.text
    assert frames(page) == ["https://plain.example/gone?a=b"]


def test_a_hint_spares_the_question_and_not_the_page(world: World) -> None:
    visitor, _ = signed_into(world, PLAIN)
    hint = visitor.tokens()["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": BACK, "ui_locales": "es"}
    answer = visitor.get("/logout?" + urlencode(asked))
    way = {"client_id": "lms", "post_logout_redirect_uri": BACK, "ui_locales": "es"}
    assert answer.headers["Location"] == "/logout/done?" + urlencode(way)
    assert '<html lang="es">' in visitor.follow(answer).text


def test_the_page_sends_nobody_where_no_product_has_registered(world: World) -> None:
    visitor, _ = signed_into(world, PLAIN)
    signed_out(visitor)
    for uri in ("https://evil.example/", "javascript:alert(1)", f"{BACK}/more"):
        asked = {"client_id": "lms", "post_logout_redirect_uri": uri}
        page = visitor.get("/logout/done?" + urlencode(asked))
        assert page.status_code == 200
        assert "evil" not in page.text
        assert 'id="onward"' not in page.text


def test_whoever_is_signed_in_next_sees_nothing_of_it(world: World) -> None:
    """Frames would end what has begun since, and receipts name what another person has opened."""
    visitor, _ = signed_into(world, BOTH)
    signed_out(visitor)
    page = visitor.get("/logout/done")
    assert frames(page)
    assert "row-main" in page.text
    visitor.tokens(BEN)
    page = visitor.get("/logout/done")
    assert (page.status_code, page.headers["Location"], frames(page)) == (303, "/", [])
    asked = {"client_id": "lms", "post_logout_redirect_uri": BACK}
    assert visitor.get("/logout/done?" + urlencode(asked)).headers["Location"] == BACK


def test_another_browser_has_none_of_it(world: World) -> None:
    visitor, _ = signed_into(world, PLAIN)
    signed_out(visitor)
    assert frames(world.browser().get("/logout/done")) == []


@pytest.mark.parametrize(
    ("path", "fields"), [("/account/sessions", True), ("/account/enable", False)]
)
def test_the_account_page_leads_there_too(world: World, path: str, fields: bool) -> None:
    visitor, _ = signed_into(world, PLAIN)
    page = visitor.enter(path, AMARA)
    ((session_id,),) = world.run("SELECT id FROM sessions")
    sent = {"session": session_id} if fields else {}
    assert frames(visitor.follow(visitor.submit(page, path, **sent)))


def test_a_client_that_is_disabled_has_no_frame(world: World) -> None:
    visitor, _ = signed_into(world, PLAIN)
    world.apply(clients=[{**PLAIN.described(), "status": "disabled"}])
    world.clock.move(2)
    answer = visitor.follow(signed_out(visitor))
    assert answer.status_code == 200
    assert frames(answer) == []
