"""S64: nobody else's page can make a person's browser change anything here."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from tests.console.people_of import user_id
from tests.security.browsing import THIRD_PARTY, add_third_party, dump, forms_and_pages
from tests.world import AMARA, BEN, PASSWORD, Visitor, World

UNWATCHED = ("ephemeral_values:",)


@pytest.fixture
def amara(world: World) -> Visitor:
    """Signed in, with a consent to lose."""
    add_third_party(world)
    browser = world.browser()
    page = browser.follow(
        browser.authorize(THIRD_PARTY, redirect_uri="https://guest.example/callback")
    )
    page = browser.follow(browser.submit(page, email=AMARA, password=PASSWORD))
    browser.follow(browser.submit(page, decision="allow"))
    assert world.run("SELECT count(*) FROM consents") == [(1,)]
    return browser


def lasting(world: World) -> list[str]:
    """All that is kept, but for attempts, which anybody may begin."""
    return [line for line in dump(world).splitlines() if not line.startswith(UNWATCHED)]


def token_of(browser: Visitor) -> str:
    page = browser.get("/account") if "Account" in browser.get("/").text else browser.get("/")
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0])


def filled(world: World, **changed: str) -> dict[str, str]:
    """A form that every page would find something to do with."""
    sessions, consents = (
        world.run(f"SELECT id FROM {table}") for table in ("sessions", "consents")
    )
    return {
        "person": user_id(world, AMARA),
        "session": sessions[0][0],
        "consent": consents[0][0],
        "decision": "sign_out",
        "email": BEN,
        "password": PASSWORD,
        "product": "lms",
        "choice": "other",
        "tenant": "northwind",
        **changed,
    }


def posts(world: World) -> list[str]:
    found = [path for method, path in forms_and_pages(world.held) if method == "POST"]
    assert {"/login/password", "/account/sessions", "/account/products", "/logout"} <= set(found)
    return found


def test_sec_64_a_form_without_a_token_is_refused_everywhere(world: World, amara: Visitor) -> None:
    before = lasting(world)
    for path in posts(world):
        assert amara.post(path, **filled(world)).status_code == 403, path
    assert lasting(world) == before


def test_sec_64_a_form_with_somebody_elses_token_is_refused_everywhere(
    world: World, amara: Visitor
) -> None:
    before = lasting(world)
    for token in ("", "x", token_of(world.browser()), "a.b.c", "null"):
        for path in posts(world):
            answer = amara.post(path, **filled(world, csrf_token=token))
            assert answer.status_code == 403, (path, token)
    assert lasting(world) == before


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://["},
    {"Origin": "nonsense"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]


def test_sec_64_what_the_browser_says_of_a_foreign_form_is_heard(
    world: World, amara: Visitor
) -> None:
    """Even with the right token, which somebody may have got hold of. A product may send a person
    to /logout; there the token is asked for, see above."""
    form, before = filled(world, csrf_token=token_of(amara)), lasting(world)
    for headers in FOREIGN:
        for path in posts(world):
            if path != "/logout":
                answer = amara.client.post(path, data=form, headers=headers)
                assert answer.status_code == 403, (path, headers)
    assert lasting(world) == before


def test_sec_64_our_own_form_is_taken(world: World, amara: Visitor) -> None:
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    form = filled(world, csrf_token=token_of(amara))
    assert amara.client.post("/account/products", data=form, headers=own).status_code == 303
    assert world.run("SELECT count(*) FROM consents") == [(0,)]


def test_sec_64_a_body_that_no_form_of_ours_sends_does_nothing(
    world: World, amara: Visitor
) -> None:
    form, before = filled(world, csrf_token=token_of(amara)), lasting(world)
    for kind in ("text/plain", "application/json", "multipart/mixed", "", "x"):
        for body in (urlencode(form), "{}", '{"decision": "sign_out"}'):
            for path in posts(world):
                answer = amara.client.post(path, data=body, content_type=kind)
                is_sent_on = path == "/logout" and answer.status_code == 303
                assert answer.status_code == 403 or is_sent_on, (path, kind, answer.status)
    assert lasting(world) == before


def test_sec_64_looking_changes_nothing(world: World, amara: Visitor) -> None:
    """Whatever stands in the address: an image or a link on any page can make a browser GET. The
    audit log alone grows, by what was refused and what was handed out."""
    before, events = unheard(world), len(world.audit())
    query = urlencode(filled(world, csrf_token=token_of(amara)))
    for method, path in forms_and_pages(world.held):
        if method == "GET":
            with amara.get(f"{path}?{query}") as answer:
                assert answer.status_code < 500, path
    for method in ("PUT", "DELETE", "PATCH"):
        for path in {path for _, path in forms_and_pages(world.held)}:
            assert amara.client.open(path, method=method, data=filled(world)).status_code == 405
    assert unheard(world) == before
    assert {event["tag"] for event in world.audit()[events:]} == {
        "console.refused",
        "audit.exported",
    }


def unheard(world: World) -> list[str]:
    """All that is kept, but for what the audit log says of it."""
    heard = ("audit_events:", "audit_chains:", "attempt_limits:")
    return [line for line in lasting(world) if not line.startswith(heard)]


def signed_out(world: World) -> bool:
    return world.run("SELECT ended_at FROM sessions")[0][0] is not None


def test_sec_64_a_foreign_page_cannot_sign_anybody_out(world: World, amara: Visitor) -> None:
    for query, status in (("", 200), ("client_id=lms", 200), ("id_token_hint=x", 400)):
        asked = amara.get(f"/logout?{query}")
        assert asked.status_code == status
        assert "Sign out of everything?" in asked.text
        answer = amara.post(f"/logout?{query}")
        assert amara.follow(answer).status_code == status
    assert not signed_out(world)


def test_sec_64_a_foreign_page_cannot_sign_anybody_in(world: World) -> None:
    """Sign-in by a stranger's form would put the victim into the stranger's account."""
    victim, attacker = world.browser(), world.browser()
    form = {"email": BEN, "password": PASSWORD, "product": "lms"}
    for token in ("", token_of(attacker)):
        answer: TestResponse = victim.post("/login/password", csrf_token=token, **form)
        assert answer.status_code == 403
    assert world.run("SELECT count(*) FROM sessions") == [(0,)]
    assert world.run("SELECT count(*) FROM attempt_limits") == [(0,)]
