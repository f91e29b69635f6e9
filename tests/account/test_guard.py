"""Whoever opens a page of the account, or sends one of its forms, is judged anew each time."""

from __future__ import annotations

import re

import pytest

from idp.app import create_pages
from tests.console.people_of import user_id
from tests.world import AMARA, BEN, PASSWORD, Visitor, World

DAY = 86400.0


def account_addresses(world: World, method: str) -> list[str]:
    """Without those below which somebody's own things have names."""
    rules = create_pages(world.held).url_map.iter_rules()
    return sorted(
        rule.rule
        for rule in rules
        if rule.rule.startswith("/account") and method in (rule.methods or ())
    )


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser()
    assert "Amara Okafor" in browser.enter("/account").text
    return browser


def token_of(visitor: Visitor) -> str:
    page = visitor.get("/account").text
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])


def test_every_page_asks_a_stranger_to_sign_in_and_comes_back(either_world: World):
    for path in ("/account", "/account/security", "/account/sessions", "/account/history"):
        stranger = either_world.browser()
        asked = stranger.follow(stranger.get(path))
        assert 'name="password"' in asked.text, path
        landed = stranger.follow(stranger.submit(asked, email=AMARA, password=PASSWORD))
        assert (landed.status_code, landed.request.path) == (200, path)


def test_a_form_of_a_session_that_is_over_changes_nothing(either_world: World, amara: Visitor):
    token = token_of(amara)
    either_world.clock.move(30 * DAY)
    answer = amara.post(
        "/account", csrf_token=token, person=user_id(either_world, AMARA), name="Mallory"
    )
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert either_world.run("SELECT count(*) FROM users WHERE name = 'Mallory'") == [(0,)]


def test_a_form_that_was_opened_by_somebody_else_changes_nothing(
    either_world: World, amara: Visitor
):
    """Another tab has signed Ben in meanwhile."""
    opened = amara.get("/account")
    amara.post("/logout", csrf_token=token_of(amara), decision="sign_out")
    amara.enter("/account", BEN)
    for path in ("/account", "/account/sessions", "/account/products"):
        fields = {"name": "Mallory", "others": "1", "locale": "en", "zoneinfo": "UTC"}
        fresh = {"csrf_token": token_of(amara)}
        answer = amara.submit(opened, path=path, **fields, **fresh)
        assert "Somebody else has signed in here meanwhile" in amara.follow(answer).text
        del fields["others"]
    assert either_world.run("SELECT count(*) FROM users WHERE name = 'Mallory'") == [(0,)]
    assert either_world.audit("session.ended")[1:] == []


def test_a_form_that_does_not_say_whose_it_is_changes_nothing(either_world: World, amara: Visitor):
    answer = amara.post("/account", csrf_token=token_of(amara), name="Mallory")
    assert answer.headers["Location"] == "/account"
    assert either_world.audit("profile.changed") == []


def test_a_disabled_person_sees_nothing_more(either_world: World, amara: Visitor):
    either_world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=AMARA)
    for path in account_addresses(either_world, "GET"):
        if "<" not in path:
            assert AMARA not in amara.follow(amara.get(path)).text, path


def test_a_proof_is_recent_for_a_quarter_of_an_hour_and_no_longer(
    either_world: World, amara: Visitor
):
    either_world.clock.move(15 * 60)
    assert amara.get("/account/security/app").status_code == 200
    either_world.clock.move(1)
    assert amara.get("/account/security/app").headers["Location"].startswith("/authorize?attempt=")


def test_looking_at_the_account_keeps_the_session_from_idling_out(
    either_world: World, amara: Visitor
):
    for _ in range(3):
        either_world.clock.move(either_world.settings.session_idle_lifetime - 60)
        assert amara.get("/account").status_code == 200
