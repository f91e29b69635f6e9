"""S07, S08, S09: a code is good for its client, its address, its verifier and sixty seconds."""

from __future__ import annotations

import base64
from hashlib import sha256
from itertools import product

import pytest

from tests.security.protocol import (
    KEEPING,
    SPA,
    WITHOUT_PKCE,
    ask,
    code_for,
    is_refused,
    of_people,
    redeem,
    register,
)
from tests.world import AMARA, CHALLENGE, VERIFIER, World, sent_back

OTHER = of_people("other-client", redirect_uris=KEEPING.form["redirect_uris"])
WRONG_VERIFIER = "w" * 64
ELSEWHERE = "https://elsewhere.example/cb"
ADDRESSES = (KEEPING.redirect_uri, ELSEWHERE)


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def test_sec_07_each_binding_alone_is_enough_to_refuse(world: World):
    """All sixteen rows: who, where to, with which verifier, in time or too late."""
    register(world, KEEPING, OTHER)
    rows = list(product((KEEPING, OTHER), ADDRESSES, (True, False), (1, 61)))
    for party, redirect_uri, knows_verifier, seconds in rows:
        code = code_for(world, KEEPING)
        world.clock.move(seconds)
        verifier = VERIFIER if knows_verifier else WRONG_VERIFIER
        answer = redeem(world, party, code, redirect_uri=redirect_uri, code_verifier=verifier)
        row = (party.client_id, redirect_uri, knows_verifier, seconds)
        if row == ("keeping", KEEPING.redirect_uri, True, 1):
            assert answer.status_code == 200, row
        else:
            assert is_refused(answer, "invalid_grant"), row


def test_sec_07_a_refused_try_does_not_spend_the_code(world: World):
    register(world, KEEPING, OTHER)
    code = code_for(world, KEEPING)
    for party, changed in (
        (OTHER, {}),
        (KEEPING, {"redirect_uri": ELSEWHERE}),
        (KEEPING, {"redirect_uri": None}),
        (KEEPING, {"redirect_uri": ""}),
        (KEEPING, {"redirect_uri": KEEPING.redirect_uri + "/"}),
        (KEEPING, {"code_verifier": WRONG_VERIFIER}),
        (KEEPING, {"code_verifier": None}),
    ):
        assert is_refused(redeem(world, party, code, **changed), "invalid_grant"), changed
    assert redeem(world, KEEPING, code).status_code == 200


def test_sec_07_a_code_that_we_never_gave_is_refused(world: World):
    register(world, KEEPING)
    code = code_for(world, KEEPING)
    for wrong in (code[:-1], code + "A", code.swapcase(), "A" * 43, "x", "é", "' OR 1=1 --"):
        assert is_refused(redeem(world, KEEPING, wrong), "invalid_grant"), wrong
    for missing in (None, ""):
        assert is_refused(redeem(world, KEEPING, missing or ""), "invalid_request")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE users SET status = 'disabled'", id="person"),
        pytest.param("UPDATE tenants SET status = 'suspended'", id="tenant"),
        pytest.param("UPDATE memberships SET status = 'disabled'", id="membership"),
        pytest.param("DELETE FROM membership_roles", id="role"),
        pytest.param("UPDATE sessions SET ended_at = 1", id="session"),
        pytest.param("UPDATE users SET sessions_valid_after = 9e9", id="all-sessions"),
    ],
)
def test_sec_07_a_code_is_worth_nothing_once_its_ground_is_gone(world: World, statement: str):
    register(world, KEEPING)
    code = code_for(world, KEEPING, scope="openid")
    world.run(statement)
    assert is_refused(redeem(world, KEEPING, code), "invalid_grant")


def test_sec_08_a_code_is_good_for_sixty_seconds_and_no_longer(world: World):
    register(world, KEEPING)
    for seconds, status in ((59, 200), (60, 400), (61, 400)):
        code = code_for(world, KEEPING)
        world.clock.move(seconds)
        assert redeem(world, KEEPING, code).status_code == status, seconds


def test_sec_09_a_request_without_a_sound_challenge_gets_no_code(world: World):
    register(world, KEEPING, SPA)
    visitor = world.browser()
    for party in (KEEPING, SPA):
        for changed in (
            {"code_challenge": None, "code_challenge_method": None},
            {"code_challenge": None},
            {"code_challenge": ""},
            {"code_challenge_method": None},
            {"code_challenge_method": "plain"},
            {"code_challenge_method": "s256"},
            {"code_challenge_method": "none"},
            {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
            {"code_challenge": CHALLENGE[:-1]},
            {"code_challenge": CHALLENGE + "="},
            {"code_challenge": CHALLENGE[:-1] + "!"},
            {"code_challenge": CHALLENGE + "\n"},
        ):
            told = sent_back(ask(visitor, party, **changed))
            assert (told["error"], "code" in told) == ("invalid_request", False), changed


def test_sec_09_a_code_is_not_given_for_a_wrong_verifier(world: World):
    register(world, SPA)
    code = code_for(world, SPA)
    for verifier in (
        *(None, "", "v", VERIFIER[:-1], VERIFIER + "v", VERIFIER.upper(), "v" * 42, "v" * 129),
        *(CHALLENGE, VERIFIER + "\n", VERIFIER + "é", "v" * 2000),
    ):
        assert is_refused(redeem(world, SPA, code, code_verifier=verifier), "invalid_grant")
    assert redeem(world, SPA, code).status_code == 200


def test_sec_09_the_verifier_of_another_flow_opens_nothing(world: World):
    register(world, SPA)
    theirs = "t" * 64
    mine = code_for(world, SPA)
    other = code_for(world, SPA, code_challenge=challenge_of(theirs))
    assert is_refused(redeem(world, SPA, mine, code_verifier=theirs), "invalid_grant")
    assert is_refused(redeem(world, SPA, other, code_verifier=VERIFIER), "invalid_grant")
    assert redeem(world, SPA, other, code_verifier=theirs).status_code == 200


def test_sec_09_a_verifier_for_a_request_whose_challenge_was_stripped_is_refused(world: World):
    register(world, WITHOUT_PKCE)
    stripped = code_for(world, WITHOUT_PKCE, AMARA, code_challenge=None, code_challenge_method=None)
    assert is_refused(redeem(world, WITHOUT_PKCE, stripped), "invalid_grant")
    assert redeem(world, WITHOUT_PKCE, stripped, code_verifier=None).status_code == 200
    guarded = code_for(world, WITHOUT_PKCE)
    assert is_refused(redeem(world, WITHOUT_PKCE, guarded, code_verifier=None), "invalid_grant")


def test_sec_09_discovery_offers_s256_alone(world: World):
    discovered = world.get("/.well-known/openid-configuration").json or {}
    assert discovered["code_challenge_methods_supported"] == ["S256"]


def test_sec_09_a_public_client_can_not_be_registered_without_it(world: World):
    from idp.errors import SetupMistake

    with pytest.raises(SetupMistake, match="PKCE"):
        register(world, of_people("careless", "none", require_pkce=False))
