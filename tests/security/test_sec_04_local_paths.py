"""S04: there is no parameter that says where to go next, so nobody can say it."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from idp.endpoints.messages import redirect
from idp.errors import PageRefusal
from tests.security.protocol import is_signed_in, raw
from tests.world import ADDRESSES, AMARA, PASSWORD, World, request_for

NAMES = ("next", "return_to", "redirect", "redirect_to", "url", "continue", "target", "back_url")
TARGETS = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "/\t/evil.example",
    "/x\r\nSet-Cookie: evil=1",
    "javascript:alert('evil')",
    "@evil.example",
    ".evil.example",
)
PAGES = ("/", "/account", "/logout", "/logout/done", "/login/password")


def everywhere(target: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, target)


def leads_nowhere_else(location: str) -> bool:
    return location.startswith("/") and location[1:2] not in ("/", "\\") and "evil" not in location


def test_sec_04_a_sign_in_from_the_front_page_ends_in_the_picked_product(world: World):
    for target in TARGETS:
        visitor = world.browser()
        page = visitor.get("/?" + urlencode(everywhere(target)))
        form = {"email": AMARA, "password": PASSWORD, "product": "lms", **everywhere(target)}
        answer = visitor.follow(visitor.submit(page, **form))
        assert answer.headers["Location"].startswith(f"{ADDRESSES['lms']}/login?"), target


def test_sec_04_no_page_leads_away_for_being_told_to(world: World):
    signed_in = world.browser()
    signed_in.sign_in()
    for target in TARGETS:
        for page in PAGES:
            for visitor in (world.browser(), signed_in):
                answer = visitor.get(f"{page}?{urlencode(everywhere(target))}")
                location = answer.headers.get("Location", "/")
                assert answer.status_code < 500, (page, target)
                assert leads_nowhere_else(location), (page, target)
                assert 'href="//evil' not in answer.text
                assert 'action="//evil' not in answer.text


def test_sec_04_a_step_goes_back_to_authorize_and_nowhere_else(world: World):
    visitor = world.browser()
    page = visitor.follow(visitor.authorize())
    form = {"email": AMARA, "password": PASSWORD, **everywhere("//evil.example")}
    assert leads_nowhere_else(visitor.submit(page, **form).headers["Location"])


def test_sec_04_signing_out_goes_to_our_own_page(world: World):
    visitor = world.browser()
    visitor.sign_in()
    page = visitor.get("/logout?" + urlencode(everywhere("//evil.example")))
    ended = visitor.submit(page, decision="sign_out", **everywhere("//evil.example"))
    assert ended.headers["Location"] == "/logout/done"
    assert not is_signed_in(visitor)


def test_sec_04_the_account_page_comes_back_to_itself_after_signing_in(world: World):
    visitor = world.browser()
    page = visitor.follow(visitor.get("/account?next=//evil.example"))
    form = {"email": AMARA, "password": PASSWORD, "target": "//evil.example"}
    landed = visitor.follow(visitor.submit(page, **form))
    assert landed.status_code == 200
    assert landed.request.path == "/account"


def test_sec_04_a_path_with_two_slashes_is_no_way_out(world: World):
    for path in ("//evil.example", "/\\evil.example", "/login//password", "//evil.example/account"):
        for method in ("GET", "POST"):
            answer = raw(world, path, method=method, Host="evil.example")
            assert (answer.status_code, answer.headers.get("Location")) == (404, None), path


def test_sec_04_an_authorization_request_by_post_can_not_break_its_redirect(world: World):
    """What a form holds raw must not reach a header raw."""
    sound = urlencode(request_for("lms", state=None))
    body = f"{sound}&state=a\r\nSet-Cookie: evil=1&login_hint=ü&nothing=#evil"
    answer = world.browser().client.post(
        "/authorize", data=body.encode(), content_type="application/x-www-form-urlencoded"
    )
    location = answer.headers["Location"]
    assert answer.status_code == 303
    assert location.startswith("/authorize?")
    assert "\r" not in location
    assert "\n" not in location
    assert "#" not in location
    assert location.isascii()
    assert "evil=1" not in location
    page = world.browser().follow(answer)
    assert page.status_code == 200
    assert 'value="ü"' in page.text


def test_sec_04_a_page_of_the_console_is_come_back_to_as_it_was_asked_for(world: World) -> None:
    """Decoded, its path could write headers of its own."""
    for path in (
        "/manage/northwind/people/x%0D%0ASet-Cookie:%20evil=1",
        "/manage/northwind/people/%C3%A9%E2%80%A8",
        "/manage/northwind/people/a%20b%25%3Fc?q=%0D%0Ax&w=%C3%A9",
    ):
        visitor = world.browser()
        page = visitor.follow(visitor.get(path))
        answer = visitor.submit(page, email=AMARA, password=PASSWORD)
        while answer.status_code == 303 and answer.headers["Location"].startswith("/authorize"):
            answer = visitor.get(answer.headers["Location"])
        assert answer.headers["Location"] == path
        assert visitor.get(path).status_code == 404


def test_sec_04_nothing_is_gone_to_that_is_no_address() -> None:
    for location in (
        "/x\r\nSet-Cookie: evil=1",
        "/\x00",
        "/\xe9",
    ):
        with pytest.raises(PageRefusal):
            redirect(location)
