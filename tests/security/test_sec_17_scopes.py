"""S17, S18: no grant gives more scope than the client has, and no refresh more than the grant."""

from __future__ import annotations

from tests.security.protocol import (
    KEEPING,
    MACHINE,
    ROTATING,
    SIGNING,
    SPA,
    Party,
    code_for,
    is_refused,
    of_people,
    post_as,
    redeem,
    refresh,
    register,
    tokens_for,
)
from tests.world import PRIYA, World, claims_of

NARROW = of_people("narrow", scope="openid email")
PRIVILEGED = ("admin", "loans.write", "offline_access", "profile", "*", "openid:admin", "OPENID")


def test_sec_17_a_code_carries_only_what_the_client_is_registered_for(world: World):
    register(world, NARROW)
    for extra in PRIVILEGED:
        given = tokens_for(world, NARROW, scope=f"openid {extra} email")
        assert given["scope"] == "openid email", extra
        assert claims_of(given["access_token"])["scope"] == "openid email", extra
        assert "name" not in (world.userinfo(given["access_token"]).json or {}), extra


def test_sec_17_scopes_can_not_be_added_when_the_code_is_redeemed(world: World):
    register(world, KEEPING)
    code = code_for(world, KEEPING, scope="openid")
    given = redeem(world, KEEPING, code, scope="openid email admin").json or {}
    assert given["scope"] == "openid"


def test_sec_17_a_machine_gets_only_what_it_is_registered_for(world: World):
    register(world, MACHINE, SIGNING)
    for scope in ("admin", "loans.read admin", "openid", "profile", "loans.*", "Loans.read"):
        answer = post_as(world, MACHINE, "/token", grant_type="client_credentials", scope=scope)
        assert is_refused(answer, "invalid_scope"), scope
    given = post_as(world, MACHINE, "/token", grant_type="client_credentials").json or {}
    assert given["scope"] == "loans.read"
    assert not {"id_token", "refresh_token"} & set(given)


def test_sec_17_a_machine_is_nobody_even_if_registered_for_scopes_of_people(world: World):
    odd = Party("odd", form={"grant_types": ["client_credentials"], "scope": "openid email x"})
    register(world, odd)
    given = post_as(world, odd, "/token", grant_type="client_credentials").json or {}
    assert given["scope"] == "x"
    asked = post_as(world, odd, "/token", grant_type="client_credentials", scope="openid")
    assert is_refused(asked, "invalid_scope")
    assert world.userinfo(given["access_token"]).status_code == 401


def test_sec_17_permissions_of_a_machine_are_those_of_its_registration(world: World):
    register(world, MACHINE)
    given = post_as(world, MACHINE, "/token", grant_type="client_credentials").json or {}
    assert claims_of(given["access_token"])["permissions"] == []


def test_sec_18_a_refresh_may_narrow_and_never_widen(world: World):
    register(world, SPA)
    token = tokens_for(world, SPA, scope="openid email offline_access")["refresh_token"]
    for scope in ("openid profile", "openid admin", "openid email offline_access profile", "*"):
        assert is_refused(refresh(world, SPA, token, scope=scope), "invalid_scope"), scope
    narrowed = refresh(world, SPA, token, scope="openid").json or {}
    assert claims_of(narrowed["access_token"])["scope"] == "openid"
    whole_again = refresh(world, SPA, narrowed["refresh_token"]).json or {}
    assert whole_again["scope"] == "openid email offline_access"


def test_sec_18_a_refresh_is_for_the_same_product(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING)["refresh_token"]
    elsewhere = "urn:product:payments"
    assert is_refused(refresh(world, KEEPING, token, resource=elsewhere), "invalid_target")
    given = refresh(world, KEEPING, token, audience=elsewhere).json or {}
    assert "urn:product:payments" not in claims_of(given["access_token"])["aud"]
    assert "urn:product:lms" in claims_of(given["access_token"])["aud"]


def test_sec_18_a_refresh_stays_in_its_company(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING, PRIYA, tenant="northwind")["refresh_token"]
    more = {"tenant": "harbor", "tenant_id": "harbor"}
    given = refresh(world, KEEPING, token, **more).json or {}
    assert claims_of(given["access_token"])["tenant"] == "northwind"
    assert claims_of(given["access_token"])["roles"] == ["agent"]


def test_sec_18_a_refresh_token_is_for_its_client_alone(world: World):
    """And a stranger's try harms nobody."""
    register(world, KEEPING, ROTATING, SPA)
    token = tokens_for(world, ROTATING)["refresh_token"]
    for stranger in (KEEPING, SPA):
        assert is_refused(refresh(world, stranger, token), "invalid_grant")
    assert is_refused(world.refresh(token), "invalid_grant")
    assert refresh(world, ROTATING, token).status_code == 200


def test_sec_18_a_refresh_token_that_was_changed_is_none(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING)["refresh_token"]
    for wrong in (
        *(token[:-1], token + "A", token[1:], token[:43], token[:49], token.swapcase(), "x", "é"),
        *(token + "=", token.replace(token[44], "A" if token[44] != "A" else "B", 1), "." * 90),
    ):
        assert is_refused(refresh(world, KEEPING, wrong), "invalid_grant"), wrong
    assert is_refused(refresh(world, KEEPING, ""), "invalid_request")
    assert refresh(world, KEEPING, token).status_code == 200
