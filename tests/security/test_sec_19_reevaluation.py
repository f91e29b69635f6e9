"""S19: a refresh looks at the world as it is now."""

from __future__ import annotations

import pytest

from tests.security.protocol import (
    ASKING,
    KEEPING,
    SPA,
    Party,
    answer_to,
    is_active,
    is_refused,
    of_people,
    redeem,
    refresh,
    refreshed,
    register,
    tokens_for,
    withdraw,
)
from tests.world import AMARA, BEN, DANA, World, claims_of, sent_back

AMARAS = "user_id = (SELECT id FROM users WHERE email = 'amara@northwind.example')"
GROUND = {
    "person": "UPDATE users SET status = 'disabled'",
    "all her sign-ins": "UPDATE users SET sessions_valid_after = 9e9",
    "tenant": "UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'",
    "membership": f"UPDATE memberships SET status = 'disabled' WHERE {AMARAS}",
    "roles": "DELETE FROM membership_roles",
    "what the role allows": "UPDATE roles SET all_permissions = false",
    "the product's tree": "DELETE FROM permissions",
    "grant": "UPDATE grants SET ended_at = 1",
}


@pytest.mark.parametrize("ground", GROUND)
def test_sec_19_what_it_rests_on_is_gone_at_once(world: World, ground: str):
    register(world, KEEPING, SPA)
    given = [(party, tokens_for(world, party)) for party in (KEEPING, SPA)]
    world.run(GROUND[ground])
    if ground == "the product's tree":
        world.run("UPDATE catalog_version SET version = version + 1")
        world.clock.move(1)
    for party, tokens in given:
        assert is_refused(refresh(world, party, tokens["refresh_token"]), "invalid_grant")
        assert not is_active(world, tokens["access_token"])


def test_sec_19_what_is_another_persons_stays(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING, BEN)
    world.apply(users=[{"email": AMARA, "name": "Amara", "status": "disabled"}])
    assert refresh(world, KEEPING, tokens["refresh_token"]).status_code == 200


def test_sec_19_whoever_was_disabled_and_enabled_again_signs_in_anew(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    for status in ("disabled", "active"):
        world.clock.move(1)
        world.apply(users=[{"email": AMARA, "name": "Amara", "status": status}])
    assert is_refused(refresh(world, KEEPING, tokens["refresh_token"]), "invalid_grant")
    assert not is_active(world, tokens["access_token"])
    assert refresh(world, KEEPING, tokens_for(world, KEEPING)["refresh_token"]).status_code == 200


def test_sec_19_a_session_that_has_ended_keeps_only_what_was_given_for_offline(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    online = redeem(
        world, KEEPING, sent_back(answer_to(visitor, KEEPING, scope="openid"))["code"]
    ).json
    offline = redeem(world, KEEPING, sent_back(answer_to(visitor, KEEPING))["code"]).json
    assert online
    assert offline
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert is_refused(refresh(world, KEEPING, online["refresh_token"]), "invalid_grant")
    assert not is_active(world, online["access_token"])
    assert refresh(world, KEEPING, offline["refresh_token"]).status_code == 200


def disabled(party: Party) -> Party:
    return of_people(party.client_id, party.method, status="disabled")


def test_sec_19_a_disabled_client_has_nothing_a_second_later(world: World):
    register(world, KEEPING, SPA)
    given = [(party, tokens_for(world, party)) for party in (KEEPING, SPA)]
    register(world, disabled(KEEPING), disabled(SPA))
    for party, tokens in given:
        refused = refresh(world, party, tokens["refresh_token"])
        assert is_refused(refused, "invalid_client", 401)
        assert not is_active(world, tokens["access_token"])


def test_sec_19_a_client_that_may_refresh_no_more_does_not(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING)["refresh_token"]
    register(world, of_people("keeping", grant_types=["authorization_code"]))
    assert is_refused(refresh(world, KEEPING, token), "unauthorized_client")


def test_sec_19_a_scope_taken_from_the_client_is_gone_from_the_next_token(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING)["refresh_token"]
    register(world, of_people("keeping", scope="openid profile offline_access"))
    given = refreshed(world, KEEPING, token)
    assert given["scope"] == "openid profile offline_access"
    assert claims_of(given["access_token"])["scope"] == given["scope"]
    assert "email" not in (world.userinfo(given["access_token"]).json or {})
    assert is_refused(refresh(world, KEEPING, token, scope="openid email"), "invalid_scope")


def test_sec_19_a_client_without_any_of_its_scopes_gets_nothing(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING, scope="openid email")["refresh_token"]
    register(world, of_people("keeping", scope="profile"))
    assert is_refused(refresh(world, KEEPING, token), "invalid_grant")


def test_sec_19_a_client_that_lost_offline_access_ends_with_the_session(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    code = sent_back(answer_to(visitor, KEEPING))["code"]
    token = (redeem(world, KEEPING, code).json or {})["refresh_token"]
    register(world, of_people("keeping", scope="openid profile"))
    assert refresh(world, KEEPING, token).status_code == 200
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert is_refused(refresh(world, KEEPING, token), "invalid_grant")


def test_sec_19_a_role_taken_away_is_gone_from_the_next_token(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING, DANA)
    assert claims_of(tokens["access_token"])["roles"] == ["agent", "analyst", "payments_officer"]
    dana = {"tenant": "northwind", "kind": "staff", "roles": ["payments_officer"]}
    world.apply(users=[{"email": DANA, "name": "Dana", "memberships": [dana]}])
    assert world.introspect(tokens["access_token"])["permissions"] == ["loans.read"]
    given = refreshed(world, KEEPING, tokens["refresh_token"])
    for token in (given["access_token"], given["id_token"]):
        claims = claims_of(token)
        assert (claims["roles"], claims["permissions"]) == (["payments_officer"], ["loans.read"])


def test_sec_19_a_name_that_changed_is_told_as_it_is(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    world.apply(users=[{"email": AMARA, "name": "Amara Anew"}])
    assert (world.userinfo(tokens["access_token"]).json or {})["name"] == "Amara Anew"


def test_sec_19_consent_that_was_withdrawn_ends_the_grant(world: World):
    register(world, ASKING)
    visitor = world.browser()
    page = answer_to(visitor, ASKING)
    code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
    tokens = redeem(world, ASKING, code).json
    assert tokens
    withdraw(visitor)
    assert is_refused(refresh(world, ASKING, tokens["refresh_token"]), "invalid_grant")
    assert not is_active(world, tokens["access_token"])


def test_sec_19_a_paused_password_is_not_a_disabled_person(world: World):
    """The pause concerns the password alone, or a stranger could sign people out (section 4.4)."""
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    for _ in range(5):
        visitor = world.browser()
        page = visitor.follow(visitor.authorize())
        visitor.submit(page, email=AMARA, password="wrong")
    assert world.audit("sign_in.locked")
    assert refresh(world, KEEPING, tokens["refresh_token"]).status_code == 200


def test_sec_19_a_scope_taken_from_the_client_is_gone_from_what_is_out(either_world: World):
    """The access token says more than counts; so does the code that waits to be redeemed, and the
    single claims that were asked for."""
    world = either_world
    register(world, KEEPING)
    visitor = world.browser()
    asked = {"scope": "openid email", "claims": '{"userinfo": {"email": null, "name": null}}'}
    first = sent_back(answer_to(visitor, KEEPING, **asked))["code"]
    token = (redeem(world, KEEPING, first).json or {})["access_token"]
    waiting = sent_back(answer_to(visitor, KEEPING, **asked))["code"]
    assert {"email", "name"} <= set(world.userinfo(token).json or {})
    register(world, of_people("keeping", scope="openid offline_access"))
    assert not {"email", "name"} & set(world.userinfo(token).json or {})
    assert world.introspect(token)["scope"] == "openid"
    given = redeem(world, KEEPING, waiting).json or {}
    assert given["scope"] == "openid"
    assert claims_of(given["access_token"])["scope"] == "openid"
    assert not {"email", "name"} & set(world.userinfo(given["access_token"]).json or {})


def test_sec_19_offline_access_taken_from_the_client_takes_its_tokens_with_the_session(
    either_world: World,
):
    world = either_world
    register(world, KEEPING)
    visitor = world.browser()
    tokens = redeem(world, KEEPING, sent_back(answer_to(visitor, KEEPING))["code"]).json or {}
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert is_active(world, tokens["access_token"])
    register(world, of_people("keeping", scope="openid profile"))
    assert not is_active(world, tokens["access_token"])
