"""A client that is not first-party: what it learns, and what it can do, is what the page said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import ADDRESSES, AMARA, PASSWORD, Visitor, World, claims_of, sent_back

CALLBACK = f"{ADDRESSES['payments']}/callback"


def register(world: World, **changed: Any) -> None:
    client = {
        "client_id": "ledgerline",
        "client_name": "Ledgerline",
        "product": "payments",
        "client_secret": "ledgerline-" + "s" * 32,
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "scope": "openid email",
        **changed,
    }
    world.apply(clients=[client])
    world.clock.move(2)


def tokens(world: World, visitor: Visitor, **asked: str) -> dict[str, Any]:
    page = visitor.sign_in(
        AMARA, PASSWORD, "ledgerline", redirect_uri=CALLBACK, **{"scope": "openid", **asked}
    )
    assert "Allow Ledgerline?" in page.text
    code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
    headers = world.basic("ledgerline", "ledgerline-" + "s" * 32)
    answer = world.post(
        "/token",
        headers,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier="v" * 64,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def test_it_acts_with_nothing_unless_it_is_registered_for_it(world: World) -> None:
    register(world)
    given = tokens(world, world.browser())
    claims = claims_of(given["access_token"])
    assert (claims["permissions"], claims["roles"]) == ([], [])
    assert world.userinfo(given["access_token"]).json["permissions"] == []  # type: ignore[index]
    assert world.introspect(given["access_token"], "payments")["permissions"] == []


def test_what_it_may_do_is_shown_by_name_and_given(world: World) -> None:
    register(world, permissions=["payouts.read"])
    visitor = world.browser()
    page = visitor.sign_in(AMARA, PASSWORD, "ledgerline", redirect_uri=CALLBACK, scope="openid")
    assert "See payouts" in page.text
    assert "Send payouts" not in page.text
    given = tokens(world, world.browser())
    assert claims_of(given["access_token"])["permissions"] == ["payouts.read"]


def test_a_permission_that_it_gets_later_is_asked_for_again(world: World) -> None:
    register(world)
    visitor = world.browser()
    tokens(world, visitor)
    register(world, permissions=["payouts.send"])
    again = visitor.follow(visitor.authorize("ledgerline", redirect_uri=CALLBACK, scope="openid"))
    assert "Send payouts" in again.text


def test_a_registration_that_is_widened_later_widens_no_token(world: World) -> None:
    register(world, permissions=["payouts.read"])
    given = tokens(world, world.browser())
    register(world, permissions=["payouts.read", "payouts.send"])
    told = world.userinfo(given["access_token"]).json
    assert told
    assert told["permissions"] == ["payouts.read"]
    assert world.introspect(given["access_token"], "payments")["permissions"] == ["payouts.read"]
    register(world, permissions=["payouts.send"])
    told = world.userinfo(given["access_token"]).json
    assert told
    assert told["permissions"] == [], "what was taken away is gone at once"


@pytest.mark.parametrize("place", ["id_token", "userinfo"])
def test_a_single_claim_is_shown_before_it_is_told(world: World, place: str) -> None:
    register(world)
    visitor = world.browser()
    page = visitor.sign_in(
        AMARA,
        PASSWORD,
        "ledgerline",
        redirect_uri=CALLBACK,
        scope="openid",
        claims=f'{{"{place}":{{"email":null,"name":null}}}}',
    )
    assert "See your e-mail address" in page.text
    assert "See your name" not in page.text, "it is not registered for the profile"


def test_a_claim_that_it_is_not_registered_for_is_not_told(world: World) -> None:
    register(world, scope="openid")
    given = tokens(world, world.browser(), claims='{"id_token":{"email":null,"name":null}}')
    told = claims_of(given["id_token"])
    assert "email" not in told
    assert "name" not in told


def test_the_switcher_is_not_for_it(world: World) -> None:
    register(world)
    given = tokens(world, world.browser())
    answer = world.get("/switcher", Authorization=f"Bearer {given['access_token']}")
    assert answer.status_code == 403
    assert answer.json == {
        "error": "insufficient_scope",
        "error_description": "The switcher is for first-party products.",
    }


def test_prompt_consent_asks_also_for_a_product_of_our_own(world: World) -> None:
    visitor = world.browser()
    visitor.tokens(AMARA)
    page = visitor.follow(visitor.authorize(prompt="consent"))
    assert "Allow LMS?" in page.text
