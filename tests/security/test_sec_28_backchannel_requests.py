"""S28: a client that names a person polls with an id of its own, and redeems it once (CIBA)."""

from __future__ import annotations

import re
from functools import partial

import pytest

from idp.oidc.client_metadata import CIBA
from tests.security.backchannel_flow import (
    COUNTER,
    OTHER,
    STRANGE,
    allow,
    ask,
    asked,
    decide,
    poll,
    question,
    signed_in,
    tokens,
)
from tests.security.browsing import at_once
from tests.security.protocol import (
    EVERY_SCOPE,
    Party,
    is_active,
    is_refused,
    refresh,
    refreshed,
    register,
)
from tests.security.test_sec_19_reevaluation import GROUND
from tests.world import AMARA, ISSUER, World, claims_of

LIFETIME = 600


def test_a_client_is_told_what_to_poll_with_and_how_often(world: World) -> None:
    register(world, COUNTER)
    answer = ask(world, COUNTER)
    told = dict(answer.json or {})
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r"[\w-]{43}", told.pop("auth_req_id"))
    assert told == {"expires_in": LIFETIME, "interval": 5}
    assert len({asked(world, COUNTER) for _ in range(4)}) == 4


@pytest.mark.parametrize("party", [COUNTER, STRANGE], ids=lambda party: party.client_id)
def test_a_person_signs_in_by_it(either_world: World, party: Party) -> None:
    world = either_world
    register(world, party)
    given = tokens(world, party, acr_values="urn:latchkey:acr:1fa")
    assert (given["token_type"], given["scope"]) == ("Bearer", EVERY_SCOPE)
    told = claims_of(given["id_token"])
    [(amara,)] = world.run(f"SELECT id FROM users WHERE email = '{AMARA}'")
    assert (told["aud"], told["sub"], told["tenant"]) == (party.client_id, amara, "northwind")
    assert "nonce" not in told
    assert is_active(world, given["access_token"])
    assert is_active(world, refreshed(world, party, given["refresh_token"])["access_token"])


def test_it_is_discovered(world: World) -> None:
    told = world.get("/.well-known/openid-configuration").json or {}
    named = {name: told[name] for name in told if name.startswith("backchannel_")}
    assert named == {
        "backchannel_authentication_endpoint": f"{ISSUER}/bc-authorize",
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_authentication_request_signing_alg_values_supported": [
            *("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
        ],
        "backchannel_user_code_parameter_supported": False,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
    assert CIBA in told["grant_types_supported"]


def test_sec_28_a_client_that_polls_too_often_has_to_wait_longer_for_good(world: World) -> None:
    """CIBA Core section 11: five seconds more, for this and all that follow."""
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    assert is_refused(poll(world, COUNTER, auth_req_id), "authorization_pending")
    world.clock.move(4)
    assert is_refused(poll(world, COUNTER, auth_req_id), "slow_down")
    world.clock.move(9.5)
    assert is_refused(poll(world, COUNTER, auth_req_id), "slow_down")
    world.clock.move(15)
    assert is_refused(poll(world, COUNTER, auth_req_id), "authorization_pending")


@pytest.mark.parametrize(("wanted", "given"), [("30", 30), ("600", 600), ("999999999", LIFETIME)])
def test_sec_28_a_request_that_nobody_decides_expires(
    world: World, wanted: str, given: int
) -> None:
    register(world, COUNTER)
    told = ask(world, COUNTER, requested_expiry=wanted).json or {}
    assert told["expires_in"] == given
    world.clock.move(given - 1)
    assert is_refused(poll(world, COUNTER, told["auth_req_id"]), "authorization_pending")
    world.clock.move(1)
    for _ in range(2):
        assert is_refused(poll(world, COUNTER, told["auth_req_id"]), "expired_token")


def test_sec_28_what_a_person_refuses_is_told_once_and_for_all(either_world: World) -> None:
    world = either_world
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    visitor = signed_in(world)
    assert decide(visitor, question(visitor), "deny") == "denied"
    for _ in range(3):
        assert is_refused(poll(world, COUNTER, auth_req_id), "access_denied")
    assert world.run("SELECT count(*) FROM grants WHERE client_id = 'counter'") == [(0,)]
    [event] = world.audit("backchannel_request.denied")
    assert (event["client"], event["disowned"]) == ("counter", False)


def test_sec_28_a_request_of_another_client_gives_nothing(either_world: World) -> None:
    world = either_world
    register(world, COUNTER, OTHER)
    auth_req_id = asked(world, COUNTER)
    assert is_refused(poll(world, OTHER, auth_req_id), "invalid_grant")
    assert is_refused(poll(world, COUNTER, auth_req_id), "authorization_pending")
    allow(world)
    assert is_refused(poll(world, OTHER, auth_req_id), "invalid_grant")
    [(handle, name)] = world.run("SELECT handle_hash, name_hash FROM decoupled_requests")
    for other in (handle, name, "made-up"):
        assert is_refused(poll(world, COUNTER, other), "invalid_grant")
    assert is_refused(poll(world, COUNTER, ""), "invalid_request")
    assert poll(world, COUNTER, auth_req_id).status_code == 200


def test_sec_28_a_request_is_redeemed_by_its_own_grant_type(world: World) -> None:
    device = "urn:ietf:params:oauth:grant-type:device_code"
    both = Party("both", form={**COUNTER.form, "grant_types": [CIBA, device]})
    register(world, both)
    auth_req_id = asked(world, both)
    allow(world)
    as_device = {"grant_type": device, "device_code": auth_req_id}
    assert is_refused(poll(world, both, auth_req_id, **as_device), "invalid_grant")
    assert poll(world, both, auth_req_id).status_code == 200


def test_sec_05_a_request_redeemed_twice_ends_what_it_gave(either_world: World) -> None:
    world = either_world
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    allow(world)
    given = dict(poll(world, COUNTER, auth_req_id).json or {})
    assert is_refused(poll(world, COUNTER, auth_req_id), "invalid_grant")
    assert not is_active(world, given["access_token"])
    assert is_refused(refresh(world, COUNTER, given["refresh_token"]), "invalid_grant")
    assert len(world.audit("backchannel_request.replayed")) == 1


def test_sec_06_of_20_polls_for_one_request_at_once_one_gets_the_tokens(
    either_world: World,
) -> None:
    world = either_world
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    allow(world)
    answers = at_once([partial(poll, world, COUNTER, auth_req_id)] * 20)
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    assert all(is_refused(a, "invalid_grant") for a in answers if a.status_code != 200)


@pytest.mark.parametrize("ground", ["person", "roles", "grant", "tenant"])
def test_sec_19_between_a_persons_yes_and_the_poll_all_of_it_is_asked_again(
    world: World, ground: str
) -> None:
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    allow(world)
    world.run(GROUND[ground])
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(1)
    assert is_refused(poll(world, COUNTER, auth_req_id), "invalid_grant")
