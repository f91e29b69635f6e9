"""S07, S18, S25: a code, a refresh token and an access token that are bound to a key (DPoP, RFC
9449) are of use to its holder alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from idp.oidc.dpop import PROOF_ALGORITHMS
from tests.console.calling import MACHINES, secret_of, tenants_machine
from tests.security.browsing import at_once
from tests.security.protocol import (
    ROTATING,
    answer_to,
    ask,
    code_for,
    is_refused,
    post_as,
    refresh,
    register,
)
from tests.security.proving_possession import (
    APP,
    KEY,
    MACHINE,
    OTHER,
    SERVER,
    STRICT,
    ask_machine,
    bring,
    is_invalid_proof,
    made,
    now_nonce,
    push_with,
    redeem_with,
    refresh_with,
)
from tests.world import ISSUER, World, claims_of, sent_back

JKT = KEY.thumbprint()
PARTIES = (APP, SERVER, STRICT, MACHINE, ROTATING)


@pytest.fixture
def world_of_keys(world: World) -> World:
    register(world, *PARTIES)
    return world


def bound_tokens(world: World, party: Any = APP) -> dict[str, Any]:
    answer = redeem_with(world, party, code_for(world, party), made(world))
    told = dict(answer.json or {})
    assert (answer.status_code, told["token_type"]) == (200, "DPoP"), answer.text
    return told


def is_challenged(answer: TestResponse, error: str, scheme: str = "DPoP") -> bool:
    """Both kinds of token are named, and the one that was tried tells what is wrong."""
    tried, other = answer.headers.getlist("WWW-Authenticate")
    assert answer.status_code == 401, answer.text
    assert tried.startswith(f'{scheme} realm="latchkey", error="{error}"'), tried
    algorithms = f'algs="{" ".join(PROOF_ALGORITHMS)}"'
    assert [each.split()[0] for each in (tried, other)] in (["DPoP", "Bearer"], ["Bearer", "DPoP"])
    assert [algorithms in each for each in (tried, other)].count(True) == 1
    return True


def test_a_bound_token_is_told_of_and_used(either_world: World) -> None:
    world = either_world
    register(world, APP)
    tokens = bound_tokens(world)
    token = tokens["access_token"]
    assert claims_of(token)["cnf"] == {"jkt": JKT}
    assert "cnf" not in claims_of(tokens["id_token"])
    told = world.introspect(token)
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": JKT})
    for path in ("/userinfo", "/switcher"):
        answer = bring(world, token, made(world, path, "GET", token), path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["DPoP-Nonce"] == now_nonce(world)
    posted = Client(world.app).post(
        "/userinfo",
        headers={"Authorization": f"dpop {token}", "DPoP": made(world, "/userinfo", "POST", token)},
    )
    assert posted.status_code == 200


def test_sec_25_a_bound_token_is_no_bearer_token(world_of_keys: World) -> None:
    world = world_of_keys
    token = bound_tokens(world)["access_token"]
    by = made(world, "/userinfo", "GET", token)
    for proof in (None, by):
        assert is_challenged(bring(world, token, proof, scheme="Bearer"), "invalid_token", "Bearer")
    in_body = Client(world.app).post("/userinfo", data={"access_token": token})
    assert is_challenged(in_body, "invalid_token", "Bearer")
    assert bring(world, token, by).status_code == 200


def test_sec_25_a_bearer_token_is_no_bound_one(world_of_keys: World) -> None:
    """Whoever has stolen one could otherwise bind it to a key of theirs."""
    world = world_of_keys
    answer = redeem_with(world, SERVER, code_for(world, SERVER), None)
    token = (answer.json or {})["access_token"]
    assert is_challenged(
        bring(world, token, made(world, "/userinfo", "GET", token)), "invalid_token"
    )
    assert world.userinfo(token).status_code == 200


def test_sec_25_a_bound_token_needs_a_sound_proof_of_its_own(world_of_keys: World) -> None:
    world = world_of_keys
    token, another = (bound_tokens(world)["access_token"] for _ in range(2))
    sound = partial(made, world, "/userinfo", "GET", token)
    rows: tuple[tuple[str | None, str], ...] = (
        (None, "invalid_dpop_proof"),
        ("x", "invalid_dpop_proof"),
        (sound(ath=None), "invalid_dpop_proof"),
        (sound(ath=""), "invalid_dpop_proof"),
        (made(world, "/userinfo", "GET", another), "invalid_dpop_proof"),
        (sound(htm="POST"), "invalid_dpop_proof"),
        (made(world, "/switcher", "GET", token), "invalid_dpop_proof"),
        (sound(iat=int(world.clock()) - 301), "invalid_dpop_proof"),
        (sound(nonce=None), "use_dpop_nonce"),
        (sound(nonce="x"), "use_dpop_nonce"),
        (sound(key=OTHER), "invalid_token"),
    )
    for by, error in rows:
        answer = bring(world, token, by)
        assert is_challenged(answer, error), by
        if by is not None:
            assert answer.headers["DPoP-Nonce"] == now_nonce(world)


def test_sec_27_a_proof_opens_a_resource_once(either_world: World) -> None:
    world = either_world
    register(world, APP)
    token = bound_tokens(world)["access_token"]
    by = made(world, "/userinfo", "GET", token)
    answers = at_once([partial(bring, world, token, by)] * 20)
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 19]
    assert is_challenged(bring(world, token, by), "invalid_dpop_proof")


def test_who_brings_nothing_is_told_of_both_ways(world_of_keys: World) -> None:
    answer = world_of_keys.get("/userinfo")
    first, second = answer.headers.getlist("WWW-Authenticate")
    assert first == 'Bearer realm="latchkey"'
    assert second == f'DPoP realm="latchkey", algs="{" ".join(PROOF_ALGORITHMS)}"'


@pytest.mark.parametrize("party", [APP, SERVER], ids=lambda party: party.client_id)
def test_sec_07_a_code_that_is_bound_to_a_key_is_of_use_to_its_holder_alone(
    world_of_keys: World, party: Any
) -> None:
    """By `dpop_jkt` on the request, or by the proof that it was pushed with (section 10)."""
    world = world_of_keys
    visitor = world.browser()
    pushed = push_with(world, party, made(world, "/par")).json or {}
    by_push = {"client_id": party.client_id, "request_uri": pushed["request_uri"]}
    codes = [code_for(world, party, dpop_jkt=JKT)]
    answer_to(visitor, party)
    query = "&".join(f"{name}={value}" for name, value in by_push.items())
    codes.append(sent_back(visitor.get(f"/authorize?{query}"))["code"])
    for code in codes:
        assert is_refused(redeem_with(world, party, code, None), "invalid_grant")
        by_other = redeem_with(world, party, code, made(world, key=OTHER))
        assert is_refused(by_other, "invalid_grant")
        assert redeem_with(world, party, code, made(world)).status_code == 200


def test_sec_07_what_is_no_thumbprint_binds_nothing(world_of_keys: World) -> None:
    for jkt in ("x", JKT + "=", JKT[:-1], JKT + "A", "é" * 43, "A" * 44):
        answer = ask(world_of_keys.browser(), APP, dpop_jkt=jkt)
        assert sent_back(answer)["error"] == "invalid_request", jkt


def test_sec_07_a_pushed_thumbprint_is_that_of_the_proof(world_of_keys: World) -> None:
    world = world_of_keys
    other = push_with(world, APP, made(world, "/par"), dpop_jkt=OTHER.thumbprint())
    assert is_refused(other, "invalid_request")
    assert push_with(world, APP, made(world, "/par"), dpop_jkt=JKT).status_code == 201
    assert push_with(world, APP, None, dpop_jkt=JKT).status_code == 201
    assert is_invalid_proof(push_with(world, APP, made(world, "/token")))


def test_sec_07_a_proof_that_fails_spends_no_code(world_of_keys: World) -> None:
    world = world_of_keys
    code = code_for(world, APP)
    for wrong in ({"nonce": None}, {"htm": "GET"}, {"htu": "x"}, {"iat": 0}):
        assert redeem_with(world, APP, code, made(world, **wrong)).status_code == 400
    assert redeem_with(world, APP, code, made(world)).status_code == 200


def test_sec_18_a_public_clients_refresh_token_is_of_use_to_the_holder_of_its_key_alone(
    either_world: World,
) -> None:
    world = either_world
    register(world, APP)
    token = bound_tokens(world)["refresh_token"]
    for by in (None, made(world, key=OTHER)):
        assert is_refused(refresh_with(world, APP, token, by), "invalid_grant")
    told = refresh_with(world, APP, token, made(world)).json or {}
    assert claims_of(told["access_token"])["cnf"] == {"jkt": JKT}
    assert told["token_type"] == "DPoP"
    again = refresh_with(world, APP, told["refresh_token"], made(world, key=OTHER))
    assert is_refused(again, "invalid_grant")
    assert refresh_with(world, APP, told["refresh_token"], made(world)).status_code == 200


def test_sec_18_a_public_clients_refresh_token_is_bound_from_its_first_proof_on(
    world_of_keys: World,
) -> None:
    world = world_of_keys
    answer = redeem_with(world, APP, code_for(world, APP), None)
    free = (answer.json or {})["refresh_token"]
    bound = refresh_with(world, APP, free, made(world)).json or {}
    for token in (bound["refresh_token"], free):
        for by in (None, made(world, key=OTHER)):
            assert is_refused(refresh_with(world, APP, token, by), "invalid_grant")
    assert refresh_with(world, APP, bound["refresh_token"], made(world)).status_code == 200


@pytest.mark.parametrize("party", [SERVER, ROTATING], ids=lambda party: party.client_id)
def test_a_confidential_client_may_change_its_key(world_of_keys: World, party: Any) -> None:
    """What it refreshes with is its own proof of itself (section 5)."""
    world = world_of_keys
    token = bound_tokens(world, party)["refresh_token"]
    told = refresh_with(world, party, token, made(world, key=OTHER)).json or {}
    assert claims_of(told["access_token"])["cnf"] == {"jkt": OTHER.thumbprint()}
    free = refresh(world, party, told["refresh_token"]).json or {}
    assert free["token_type"] == "Bearer"


def test_sec_18_who_is_registered_for_bound_tokens_gets_no_other(world_of_keys: World) -> None:
    world = world_of_keys
    code = code_for(world, STRICT)
    assert is_refused(redeem_with(world, STRICT, code, None), "invalid_request")
    told = redeem_with(world, STRICT, code, made(world)).json or {}
    without = refresh_with(world, STRICT, told["refresh_token"], None)
    assert is_refused(without, "invalid_request")
    assert refresh_with(world, STRICT, told["refresh_token"], made(world)).status_code == 200


def test_a_bound_token_is_revoked_like_any_other(world_of_keys: World) -> None:
    world = world_of_keys
    token = bound_tokens(world)["access_token"]
    assert post_as(world, APP, "/revoke", token=token).status_code == 200
    by = made(world, "/userinfo", "GET", token)
    assert is_challenged(bring(world, token, by), "invalid_token")


def test_scripts_may_send_proofs_and_read_nonces(world_of_keys: World) -> None:
    world = world_of_keys
    origin = {"Origin": "https://key-app.example"}
    for path in ("/token", "/par", "/userinfo"):
        asked = Client(world.app).options(path, headers=origin)
        assert "DPoP" in asked.headers["Access-Control-Allow-Headers"].split(", ")
        answer = Client(world.app).post(path, headers={**origin, "DPoP": "x"})
        assert "DPoP-Nonce" in answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert answer.headers["DPoP-Nonce"] == now_nonce(world)


def test_a_machines_bound_token_is_told_of(world_of_keys: World) -> None:
    world = world_of_keys
    token = (ask_machine(world, made(world)).json or {})["access_token"]
    told = world.introspect(token)
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": JKT})


def test_sec_25_the_management_api_takes_bound_tokens_by_a_proof_alone(world: World) -> None:
    """At addresses with more than plain letters too."""
    tenants_machine(world)
    headers = world.basic(MACHINES["northwind"], secret_of(MACHINES["northwind"]))
    form = {"grant_type": "client_credentials"}
    told = world.post("/token", {**headers, "DPoP": made(world)}, **form).json or {}
    token = told["access_token"]
    path = "/api/v1/tenants/northwind/people"
    proof = partial(made, world, path, "GET", token)
    assert bring(world, token, proof(), path).status_code == 200
    rows = (
        *((proof(), "Bearer", "invalid_token"), (None, "DPoP", "invalid_dpop_proof")),
        *(
            (proof(ath="x"), "DPoP", "invalid_dpop_proof"),
            (proof(nonce=None), "DPoP", "use_dpop_nonce"),
        ),
        (proof(htu=f"{ISSUER}/api/v1"), "DPoP", "invalid_dpop_proof"),
    )
    for by, scheme, error in rows:
        answer = bring(world, token, by, path, scheme)
        assert is_challenged(answer, error, scheme), by
        assert (by is None) or answer.headers["DPoP-Nonce"] == now_nonce(world)
    once = proof()
    again = [bring(world, token, once, path).status_code for _ in range(2)]
    assert again == [200, 401]
    strange = f"{path}/ä b%2Fc"
    quoted = bring(world, token, proof(htu=f"{ISSUER}{path}/%c3%a4%20b%2fc"), strange)
    assert quoted.status_code == 404, quoted.text
