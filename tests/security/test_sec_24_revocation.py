"""S24: a 200 from the revocation endpoint means that it is dead in the database."""

from __future__ import annotations

import pytest

from tests.security.protocol import (
    KEEPING,
    MACHINE,
    ROTATING,
    SPA,
    is_active,
    is_refused,
    post_as,
    refresh,
    register,
    revoke,
    tokens_for,
)
from tests.world import World, claims_of


def test_sec_24_a_refresh_token_takes_its_access_tokens_along(either_world: World):
    world = either_world
    register(world, KEEPING, SPA)
    for party in (KEEPING, SPA):
        tokens = tokens_for(world, party)
        answer = revoke(world, party, tokens["refresh_token"])
        assert (answer.status_code, answer.data) == (200, b"")
        assert not is_active(world, tokens["access_token"])
        assert is_refused(refresh(world, party, tokens["refresh_token"]), "invalid_grant")


def test_sec_24_an_access_token_goes_alone(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    assert revoke(world, KEEPING, tokens["access_token"]).status_code == 200
    assert not is_active(world, tokens["access_token"])
    again = refresh(world, KEEPING, tokens["refresh_token"])
    assert is_active(world, (again.json or {})["access_token"])


def test_sec_24_a_machines_token_goes_as_well(world: World):
    register(world, MACHINE)
    given = post_as(world, MACHINE, "/token", grant_type="client_credentials").json or {}
    assert world.introspect(given["access_token"])["active"]
    revoke(world, MACHINE, given["access_token"])
    assert world.introspect(given["access_token"]) == {"active": False}


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_sec_24_the_audit_tells_whose_token_it_was(either_world: World, kind: str):
    world = either_world
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    revoke(world, KEEPING, tokens[kind])
    told = world.run("SELECT actor_id, tenant_id FROM audit_events WHERE tag = 'token.revoked'")
    claims = claims_of(tokens["access_token"])
    assert told == [(claims["sub"], claims["tenant_id"])]
    assert [event["kind"] for event in world.audit("token.revoked")] == [kind]


def test_sec_24_a_machines_token_was_nobodys(world: World):
    register(world, MACHINE)
    given = post_as(world, MACHINE, "/token", grant_type="client_credentials").json or {}
    revoke(world, MACHINE, given["access_token"])
    (event,) = world.audit("token.revoked")
    assert (event["actor"], event["client"]) == (None, "machine")


def test_sec_24_any_generation_of_a_family_ends_it(world: World):
    register(world, SPA)
    first = tokens_for(world, SPA)
    second = refresh(world, SPA, first["refresh_token"]).json or {}
    revoke(world, SPA, first["refresh_token"])
    assert not is_active(world, second["access_token"])


def test_sec_24_a_hint_that_lies_changes_nothing(world: World):
    register(world, KEEPING)
    for hint in ("access_token", "refresh_token", "id_token", "x"):
        tokens = tokens_for(world, KEEPING)
        token = tokens["refresh_token"]
        post_as(world, KEEPING, "/revoke", token=token, token_type_hint=hint)
        assert not is_active(world, tokens["access_token"]), hint


def test_sec_24_a_client_that_proves_nothing_revokes_nothing(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    for token in (tokens["refresh_token"], tokens["access_token"]):
        for headers, form in (
            ({}, {}),
            ({}, {"client_id": "keeping"}),
            ({}, {"client_id": "nobody"}),
            (world.basic("keeping", "wrong"), {}),
            (world.basic("nobody", "wrong"), {}),
        ):
            answer = world.post("/revoke", headers, token=token, **form)
            assert is_refused(answer, "invalid_client", 401), form
    assert is_active(world, tokens["access_token"])
    assert refresh(world, KEEPING, tokens["refresh_token"]).status_code == 200


def test_sec_24_another_clients_token_is_left_alone_without_a_word(world: World):
    register(world, KEEPING, ROTATING, SPA)
    tokens = tokens_for(world, KEEPING)
    for stranger in (ROTATING, SPA):
        for token in (tokens["refresh_token"], tokens["access_token"]):
            answer = revoke(world, stranger, token)
            assert (answer.status_code, answer.data) == (200, b"")
    assert is_active(world, tokens["access_token"])
    assert refresh(world, KEEPING, tokens["refresh_token"]).status_code == 200
    assert not world.audit("token.revoked")


def test_sec_24_an_unknown_token_is_as_good_as_revoked(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING)
    for unknown in ("x", "é", "a.b.c", token["id_token"], token["access_token"][:-3], "A" * 4096):
        assert revoke(world, KEEPING, unknown).status_code == 200, unknown[:20]
    assert is_refused(revoke(world, KEEPING, ""), "invalid_request")
    assert is_active(world, token["access_token"])


@pytest.mark.parametrize("missing", ["grants", "audit_events", "revoked_tokens"])
def test_sec_24_a_store_that_fails_is_told_and_leaves_nothing_half_done(world: World, missing: str):
    """Neither 200, nor a token revoked of which no audit knows."""
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    kind = "access_token" if missing == "revoked_tokens" else "refresh_token"
    world.run(f"ALTER TABLE {missing} RENAME TO away")
    answer = revoke(world, KEEPING, tokens[kind])
    assert is_refused(answer, "temporarily_unavailable", 503)
    assert answer.headers["Retry-After"]
    world.run(f"ALTER TABLE away RENAME TO {missing}")
    assert is_active(world, tokens["access_token"])
    assert revoke(world, KEEPING, tokens[kind]).status_code == 200
    assert not is_active(world, tokens["access_token"])


def test_sec_24_no_endpoint_takes_a_failing_store_for_a_yes(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    world.run("ALTER TABLE grants RENAME TO away")
    for answer in (
        refresh(world, KEEPING, tokens["refresh_token"]),
        world.post("/introspect", world.basic("lms"), token=tokens["access_token"]),
        world.userinfo(tokens["access_token"]),
    ):
        assert is_refused(answer, "temporarily_unavailable", 503)
