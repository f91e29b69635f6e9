"""What proves a client of a FAPI 2.0 profile (FAPI 2.0 Security Profile, final, sections 5.3.2.1
and 5.4.1), case by case as the conformance suite's modules have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.oidc.client_authentication import ASSERTION_TYPE
from tests.security.fapi_clients import FAPI, OTHER, from_now, of_profile, pushed_by
from tests.security.protocol import (
    asked_by,
    assertion,
    is_refused,
    of_people,
    register,
    segment,
)
from tests.security.proving_possession import made, send
from tests.world import ISSUER, World

GRANTS = ["client_credentials"]
MACHINE = of_profile("fapi-machine", "fapi2_security", grant_types=GRANTS, scope="loans.read")
UNPROVEN = ("invalid_client", 401)


@pytest.fixture
def bank(world: World) -> World:
    register(world, FAPI, OTHER, MACHINE)
    return world


def ask(world: World, path: str, proof: dict[str, str | None]) -> TestResponse:
    """What is asked lacks nothing: FAPI's request at /par, or a token for MACHINE."""
    if path == "/par":
        return world.post(path, {}, **{**asked_by(FAPI), **proof})
    return world.post(path, {"DPoP": made(world)}, grant_type="client_credentials", **proof)


def proof_of(world: World, path: str, **changed: Any) -> dict[str, str | None]:
    """Numbers are seconds from now."""
    party = FAPI if path == "/par" else MACHINE
    signed = assertion(world, party, **from_now(world, changed))
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


BAD_CLAIMS: list[tuple[str, dict[str, Any]]] = [
    *(("no sub", {"sub": None}), ("another sub", {"sub": "nobody"})),
    *(("no iss", {"iss": None}), ("another iss", {"iss": "nobody"})),
    *(("no aud", {"aud": None}), ("another aud", {"aud": "https://other.example"})),
    *(("aud is /par", {"aud": f"{ISSUER}/par"}), ("aud is /token", {"aud": f"{ISSUER}/token"})),
    ("aud is a list", {"aud": [ISSUER]}),
    ("aud is a list with more", {"aud": [ISSUER, "https://other.example/more"]}),
    ("aud has a slash", {"aud": f"{ISSUER}/"}),
    *(("exp is past", {"exp": -300}), ("no exp", {"exp": None})),
    ("iat and nbf over 60 seconds ahead", {"iat": 70, "nbf": 70, "exp": 130}),
    *(("iat ahead", {"iat": 61}), ("nbf ahead", {"nbf": 61})),
]


def unsigned(sound: str) -> str:
    return f"{segment({'alg': 'none'})}.{sound.split('.')[1]}."


def spoiled(sound: str) -> str:
    return sound[:-8] + ("A" * 8 if not sound.endswith("A" * 8) else "B" * 8)


BAD_SHAPES: list[tuple[str, Callable[[str], dict[str, str | None]]]] = [
    ("no assertion", lambda _: {"client_assertion": None, "client_assertion_type": None}),
    ("no type", lambda _: {"client_assertion_type": None}),
    ("another type", lambda _: {"client_assertion_type": "urn:example:other"}),
    ("alg none", lambda sound: {"client_assertion": unsigned(sound)}),
    ("another signature", lambda sound: {"client_assertion": spoiled(sound)}),
]


@pytest.mark.parametrize("path", ["/par", "/token"])
def test_every_invalid_assertion_is_refused_and_the_sound_one_is_taken(
    bank: World, path: str
) -> None:
    """ensure-invalid-client-assertions-fail, and the modules of one case each; at /token as for
    client credentials, where it is the first that asks for one"""
    for why, changed in BAD_CLAIMS:
        answer = ask(bank, path, proof_of(bank, path, **changed))
        assert is_refused(answer, *UNPROVEN), why
    for why, shaped in BAD_SHAPES:
        sound = proof_of(bank, path)
        answer = ask(bank, path, {**sound, **shaped(str(sound["client_assertion"]))})
        assert is_refused(answer, *UNPROVEN), why
    for good in ({"iat": 8, "nbf": 8}, {}):
        assert ask(bank, path, proof_of(bank, path, **good)).status_code < 300, good


def test_other_clients_may_name_an_endpoint_still(bank: World) -> None:
    plain = replace(of_people("plain", "private_key_jwt"), key=FAPI.key)
    register(bank, plain)
    claimed = assertion(bank, plain, aud=[f"{ISSUER}/token"])
    sent = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": claimed}
    answer = bank.post("/token", {}, grant_type="none", **sent)
    assert (answer.json or {})["error"] == "unsupported_grant_type"


def test_no_client_gets_in_by_another_way(bank: World) -> None:
    """ensure-client-assertion-in-token-endpoint; ensure-client-id-in-token-endpoint: by another
    client's key"""
    assert is_refused(bank.post("/par", {}, client_id="fapi"), *UNPROVEN)
    assert is_refused(bank.post("/token", {}, client_id="fapi", grant_type="x"), *UNPROVEN)
    by_other = assertion(bank, FAPI, OTHER.key)
    assert is_refused(pushed_by(bank, by_other), *UNPROVEN)
    twice = assertion(bank, FAPI)
    pushed_by(bank, twice)
    assert is_refused(pushed_by(bank, twice), *UNPROVEN)
    password = {"grant_type": "password", "username": "amara", "password": "x"}
    answer = send(bank, FAPI, "/token", made(bank), **password)
    assert is_refused(answer, "unsupported_grant_type")
