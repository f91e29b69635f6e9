"""S28: a device polls with a code of its own, as often as it was told, and redeems it once."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import pytest
from joserfc.jwk import ECKey

from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.oidc.client_metadata import DEVICE_CODE
from tests.security import proving_possession as possession
from tests.security.browsing import at_once
from tests.security.device_flow import (
    STRANGE,
    TELEVISION,
    TILL,
    allow,
    ask,
    codes,
    decide,
    from_network,
    poll,
    question,
    tokens,
)
from tests.security.protocol import (
    EVERY_SCOPE,
    KEEPING,
    Party,
    assertion,
    is_active,
    is_refused,
    of_people,
    post_as,
    redeem,
    refresh,
    refreshed,
    register,
)
from tests.security.test_sec_19_reevaluation import GROUND
from tests.world import ISSUER, World, claims_of

LIFETIME = 600


def test_a_device_is_told_what_to_show_and_how_often_to_ask(world: World) -> None:
    register(world, TELEVISION)
    answer = ask(world, TELEVISION)
    told = dict(answer.json or {})
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r"[\w-]{43}", told.pop("device_code"))
    user_code = told.pop("user_code")
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", user_code)
    page = f"{ISSUER}/device"
    assert told == {
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={user_code}",
        "expires_in": LIFETIME,
        "interval": 5,
    }
    assert len({codes(world, TELEVISION)["user_code"] for _ in range(9)}) == 9


@pytest.mark.parametrize("party", [TELEVISION, TILL, STRANGE], ids=lambda party: party.client_id)
def test_a_device_signs_in(either_world: World, party: Party) -> None:
    world = either_world
    register(world, party)
    given = tokens(world, party, nonce="a-nonce")
    assert (given["token_type"], given["scope"]) == ("Bearer", EVERY_SCOPE)
    told = claims_of(given["id_token"])
    assert (told["aud"], told["nonce"], told["tenant"]) == (party.client_id, "a-nonce", "northwind")
    assert is_active(world, given["access_token"])
    assert is_active(world, refreshed(world, party, given["refresh_token"])["access_token"])


def test_a_device_is_discovered(world: World) -> None:
    told = world.get("/.well-known/openid-configuration").json or {}
    assert told["device_authorization_endpoint"] == f"{ISSUER}/device_authorization"
    assert "urn:ietf:params:oauth:grant-type:device_code" in told["grant_types_supported"]


def test_sec_28_who_polls_too_often_has_to_wait_longer_for_good(world: World) -> None:
    """RFC 8628 section 3.5: five seconds more, for this and all that follow."""
    register(world, TELEVISION)
    device_code = codes(world, TELEVISION)["device_code"]
    for _ in range(4):
        assert is_refused(poll(world, TELEVISION, device_code), "authorization_pending")
        world.clock.move(5)
    world.clock.move(-1)
    assert is_refused(poll(world, TELEVISION, device_code), "slow_down")
    world.clock.move(9.5)
    assert is_refused(poll(world, TELEVISION, device_code), "slow_down")
    for _ in range(2):
        world.clock.move(15)
        assert is_refused(poll(world, TELEVISION, device_code), "authorization_pending")
    world.clock.move(14.9)
    assert is_refused(poll(world, TELEVISION, device_code), "slow_down")


def test_sec_28_of_ten_polls_at_once_one_is_in_time(either_world: World) -> None:
    world = either_world
    register(world, TELEVISION)
    device_code = codes(world, TELEVISION)["device_code"]
    polls = [partial(poll, world, TELEVISION, device_code)] * 10
    errors = sorted((answer.json or {})["error"] for answer in at_once(polls))
    assert errors == ["authorization_pending", *["slow_down"] * 9]
    assert world.run("SELECT interval FROM decoupled_requests") == [(5 + 9 * 5,)]


def test_sec_28_what_nobody_decides_expires(world: World) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    world.clock.move(LIFETIME - 1)
    assert is_refused(poll(world, TELEVISION, told["device_code"]), "authorization_pending")
    world.clock.move(1)
    for _ in range(2):
        assert is_refused(poll(world, TELEVISION, told["device_code"]), "expired_token")


def test_sec_28_what_was_allowed_expires_too(world: World) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    allow(world, told["user_code"])
    world.clock.move(LIFETIME)
    assert is_refused(poll(world, TELEVISION, told["device_code"]), "expired_token")


def test_sec_28_a_no_is_told_once_and_for_all(either_world: World) -> None:
    world = either_world
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    visitor = world.browser()
    assert decide(visitor, question(visitor, told["user_code"]), "deny") == "denied"
    for _ in range(3):
        assert is_refused(poll(world, TELEVISION, told["device_code"]), "access_denied")
    assert world.run("SELECT count(*) FROM grants") == [(0,)]


def test_sec_28_another_client_gets_nothing_and_changes_nothing(either_world: World) -> None:
    world = either_world
    both = of_people("both", grant_types=[*TILL.form["grant_types"], "authorization_code"])
    register(world, TELEVISION, TILL, both)
    told = codes(world, TELEVISION)
    for _ in range(2):
        assert is_refused(poll(world, TILL, told["device_code"]), "invalid_grant")
    assert is_refused(poll(world, TELEVISION, told["device_code"]), "authorization_pending")
    allow(world, told["user_code"])
    assert is_refused(poll(world, TILL, told["device_code"]), "invalid_grant")
    assert is_refused(poll(world, TELEVISION, told["user_code"]), "invalid_grant")
    as_code = {"grant_type": "authorization_code", "code": told["device_code"]}
    assert is_refused(post_as(world, both, "/token", **as_code), "invalid_grant")
    assert poll(world, TELEVISION, told["device_code"]).status_code == 200


def test_sec_28_a_device_code_is_no_code_of_a_browsers(world: World) -> None:
    both = of_people(
        *("both", "none"),
        grant_types=[*TILL.form["grant_types"], "authorization_code"],
        require_pkce=True,
    )
    register(world, both)
    told = codes(world, both)
    allow(world, told["user_code"])
    for code in (told["device_code"], told["user_code"]):
        answer = redeem(world, both, code, redirect_uri=None, code_verifier=None)
        assert is_refused(answer, "invalid_grant")
    assert poll(world, both, told["device_code"]).status_code == 200


def test_sec_05_a_device_code_used_twice_ends_what_it_gave(either_world: World) -> None:
    world = either_world
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    allow(world, told["user_code"])
    given = dict(poll(world, TELEVISION, told["device_code"]).json or {})
    assert is_refused(poll(world, TELEVISION, told["device_code"]), "invalid_grant")
    assert not is_active(world, given["access_token"])
    assert is_refused(refresh(world, TELEVISION, given["refresh_token"]), "invalid_grant")
    assert len(world.audit("device_code.replayed")) == 1


def test_sec_06_of_20_polls_at_once_one_gets_the_tokens(either_world: World) -> None:
    world = either_world
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    allow(world, told["user_code"])
    answers = at_once([partial(poll, world, TELEVISION, told["device_code"])] * 20)
    [given] = [answer.json for answer in answers if answer.status_code == 200]
    assert sum(is_refused(a, "invalid_grant") for a in answers if a.status_code != 200) == 19
    assert given
    assert not is_active(world, given["access_token"])


@pytest.mark.parametrize("ground", ["person", "roles", "grant"])
def test_sec_19_between_the_yes_and_the_poll_all_of_it_is_asked_again(
    world: World, ground: str
) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    allow(world, told["user_code"])
    world.run(GROUND[ground])
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(1)
    assert is_refused(poll(world, TELEVISION, told["device_code"]), "invalid_grant")


def test_sec_19_a_client_that_may_do_it_no_more_does_not(world: World) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    allow(world, told["user_code"])
    register(world, replace(TELEVISION, form={**TELEVISION.form, "grant_types": ["refresh_token"]}))
    assert is_refused(poll(world, TELEVISION, told["device_code"]), "unauthorized_client")


def test_sec_17_a_device_gets_only_what_it_is_registered_for(world: World) -> None:
    narrow = of_people("narrow", "none", **{**TELEVISION.form, "scope": "openid email"})
    register(world, narrow)
    assert tokens(world, narrow, scope="openid email profile admin")["scope"] == "openid email"
    assert tokens(world, narrow, scope=None)["scope"] == "openid email"


IN_VAIN: list[tuple[Party, dict[str, str | None], str, int]] = [
    (KEEPING, {}, "unauthorized_client", 400),
    (TILL, {"client_id": "television"}, "invalid_client", 401),
    (TELEVISION, {"client_id": None}, "invalid_client", 401),
    (TELEVISION, {"client_id": "nobody"}, "invalid_client", 401),
    (TELEVISION, {"scope": "admin"}, "invalid_scope", 400),
    (TELEVISION, {"max_age": "soon"}, "invalid_request", 400),
    (TELEVISION, {"claims": "{"}, "invalid_request", 400),
    (TELEVISION, {"id_token_hint": "no-token"}, "invalid_request", 400),
    (TELEVISION, {"dpop_jkt": "no-thumbprint"}, "invalid_request", 400),
    (TELEVISION, {"nonce": "n" * 4000, "tenant": "t" * 3000}, "invalid_request", 400),
]


def test_a_request_that_could_not_be_met_is_refused_at_once(world: World) -> None:
    register(world, TELEVISION, TILL, KEEPING)
    for party, changed, error, status in IN_VAIN:
        assert is_refused(ask(world, party, **changed), error, status), changed
    assert world.run("SELECT count(*) FROM decoupled_requests") == [(0,)]


def test_a_poll_without_a_code_is_no_request(world: World) -> None:
    register(world, TELEVISION)
    assert is_refused(
        post_as(world, TELEVISION, "/token", grant_type="x"), "unsupported_grant_type"
    )
    assert is_refused(poll(world, TELEVISION, ""), "invalid_request")
    assert is_refused(poll(world, TELEVISION, "made-up"), "invalid_grant")
    assert world.get("/device_authorization").status_code == 405


def test_sec_27_an_assertion_may_be_for_the_issuer_or_either_endpoint(world: World) -> None:
    signing = of_people("signing-till", "private_key_jwt", **TILL.form)
    signing = replace(signing, key=ECKey.generate_key("P-256"))
    register(world, signing)
    for path, status in {"": 200, "/device_authorization": 200, "/token": 200, "/par": 401}.items():
        signed = assertion(world, signing, aud=ISSUER + path, header={"alg": "ES256"})
        form = {"client_assertion": signed, "client_assertion_type": ASSERTION_TYPE}
        assert world.post("/device_authorization", None, **form).status_code == status, path


def test_sec_07_a_device_that_has_named_its_key_needs_it(world: World) -> None:
    """RFC 9449 section 10, for what is redeemed without a browser."""
    register(world, TELEVISION)
    told = codes(world, TELEVISION, dpop_jkt=possession.KEY.thumbprint())
    allow(world, told["user_code"])
    form = {"grant_type": DEVICE_CODE, "device_code": told["device_code"]}
    for by in (None, possession.made(world, key=possession.OTHER)):
        answer = possession.send(world, TELEVISION, "/token", by, **form)
        assert is_refused(answer, "invalid_grant")
    answer = possession.send(world, TELEVISION, "/token", possession.made(world), **form)
    given = dict(answer.json or {})
    assert given["token_type"] == "DPoP"
    assert is_refused(refresh(world, TELEVISION, given["refresh_token"]), "invalid_grant")


def test_sec_28_one_network_gets_so_many_codes_without_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.grants.device_code.ASKED_BY_NETWORK", 3)
    register(world, TELEVISION, TILL)
    for _ in range(3):
        assert ask(world, TELEVISION).status_code == 200
    assert is_refused(ask(world, TELEVISION), "slow_down", 429)
    assert ask(world, TILL).status_code == 200, "a client that proves itself is known"
    elsewhere = from_network(world, "198.51.100.7")
    form = {"client_id": TELEVISION.client_id}
    assert elsewhere.client.post("/device_authorization", data=form).status_code == 200
    world.clock.move(600)
    assert ask(world, TELEVISION).status_code == 200
