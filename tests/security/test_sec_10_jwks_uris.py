"""S10, S71: clients that register themselves and keep their keys at a `jwks_uri`; and the modules
of the conformance suite that are about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from idp.oidc.client_authentication import ASSERTION_TYPE
from tests.security.browsing import reopened
from tests.security.client_host import MOVED, NOT_THERE, SOUND, Host
from tests.security.protocol import EVERY_SCOPE, Party, answer_to, assertion, is_refused
from tests.security.publishing import FIRST, key_set, new_key
from tests.security.registering import HOSTS, JWKS, at_own, initial_token, post, registered
from tests.security.registering import SOUND as MEMBERS
from tests.world import VERIFIER, World, sent_back

BAD = "invalid_client_metadata"
READER = {**new_key("reader").as_dict(private=False), "use": "enc"}
ENCRYPTED = {"id_token_encrypted_response_alg": "ECDH-ES"}


@pytest.fixture
def host() -> Iterator[Host]:
    with Host.running() as running:
        running.bodies[SOUND] = key_set(FIRST)
        yield running


@pytest.fixture
def token(world: World) -> str:
    return initial_token(world, redirect_hosts=[*HOSTS, "127.0.0.1"], scope=EVERY_SCOPE)


def by_key(host: Host, **changed: Any) -> dict[str, Any]:
    method = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.address(SOUND)}
    return {**method, **changed}


def test_sec_10_where_its_keys_are_is_one_address_that_is_let_in(
    world: World, host: Host, token: str
) -> None:
    bad: list[dict[str, Any]] = [
        {"jwks": JWKS},
        *({"jwks_uri": f"{address}/jwks"} for address in ("http://app.example", "com.example.a:")),
        *({"jwks_uri": f"{address}/jwks"} for address in ("https://evil.example", "/app.example")),
        *(
            {"jwks_uri": each}
            for each in (f"{host.address(SOUND)}#1", "", 7, [host.address(SOUND)])
        ),
        {"jwks_uri": "https://user@app.example/jwks"},
        {"jwks_uri": None},
    ]
    for changed in bad:
        answer = post(world, token, {**MEMBERS, **by_key(host, **changed)})
        assert is_refused(answer, BAD), changed
    assert host.asked == []


def test_sec_10_its_keys_may_move(world: World, host: Host, token: str) -> None:
    told = registered(world, token, **by_key(host))
    assert (told["jwks_uri"], "jwks" in told) == (host.address(SOUND), False)
    assert at_own(world, told, "GET").json["jwks_uri"] == told["jwks_uri"]  # type: ignore[index]
    sent = {**MEMBERS, "client_id": told["client_id"], **by_key(host)}
    given = at_own(world, told, "PUT", {**sent, "jwks_uri": None, "jwks": JWKS}).json or {}
    assert (given["jwks"], "jwks_uri" in given) == (JWKS, False)
    again = at_own(world, told, "PUT", sent).json or {}
    assert ("jwks" in again, again["jwks_uri"]) == (False, told["jwks_uri"])
    assert host.asked == []  # who only signs may start later than it registers


def test_sec_71_keys_to_be_encrypted_to_are_fetched_and_tried(
    world: World, host: Host, token: str
) -> None:
    bodies = {
        SOUND: key_set(FIRST, READER),
        "/to-sign": key_set({**FIRST.as_dict(private=False), "use": "sig"}),
        "/another-kind": key_set(RSAKey.generate_key(2048)),
        "/no-point": key_set({"kty": "OKP", "crv": "X25519", "x": "A" * 43}),
        "/no-json": b"{",
        "/large": key_set(READER) + b" " * 65536,
    }
    host.bodies = bodies
    for path in (*bodies, MOVED, NOT_THERE):
        asked = len(host.asked)
        members = {**MEMBERS, **by_key(host, jwks_uri=host.address(path)), **ENCRYPTED}
        answer = post(world, token, members)
        assert answer.status_code == (201 if path == SOUND else 400), (path, answer.text)
        assert path == SOUND or is_refused(answer, BAD)
        assert host.asked[asked:] == [path]
    refused = {**MEMBERS, **by_key(host), **ENCRYPTED, "scope": "loans.read"}
    assert is_refused(post(world, token, refused), BAD)
    with world.held.turns.wait_for("registrations"), world.held.turns.wait_for("registrations"):
        assert is_refused(post(world, token, {**MEMBERS, **by_key(host), **ENCRYPTED}), BAD)
    guarded = reopened(world, replace(world.settings, outgoing_networks=""))
    assert is_refused(post(guarded, token, {**MEMBERS, **by_key(host), **ENCRYPTED}), BAD)
    guarded.held.database.close()
    assert len(host.asked) == len(bodies) + 2  # nothing is asked for what is refused anyway


def test_oidcc_registration_jwks_uri_and_refresh_token_rp_key_rotation(
    world: World, host: Host, token: str
) -> None:
    """The suite's two modules: a code by the first key, then, a minute later, a refresh by another
    that has taken its place."""
    first, second = (RSAKey.generate_key(2048, {"alg": "RS256"}, auto_kid=True) for _ in range(2))
    host.bodies[SOUND] = key_set(first)
    grants, scope = ["authorization_code", "refresh_token"], "openid offline_access"
    told = registered(world, token, **by_key(host, grant_types=grants, scope=scope))
    party: Any = Party(told["client_id"], "private_key_jwt", told)
    form = {"redirect_uri": party.redirect_uri, "code_verifier": VERIFIER}
    code = consented(world, party)
    answer = by(world, party, first, grant_type="authorization_code", code=code, **form)
    assert answer.status_code == 200, answer.text
    again = {"grant_type": "refresh_token", "refresh_token": (answer.json or {})["refresh_token"]}
    assert is_refused(by(world, party, second, **again), "invalid_client", 401)
    host.bodies[SOUND] = key_set(second)
    world.clock.move(60)
    answer = by(world, party, second, **again)
    assert (answer.status_code, "id_token" in answer.text) == (200, True)
    assert is_refused(by(world, party, first, **again), "invalid_client", 401)
    assert len(host.asked) == 2


def consented(world: World, party: Party) -> str:
    visitor = world.browser()
    page = answer_to(visitor, party, prompt="consent")
    return sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]


def by(world: World, party: Party, key: Any, **form: str) -> TestResponse:
    signed = assertion(world, party, key, {"alg": "RS256", "kid": key.kid})
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
    return world.post("/token", {}, **fields, **form)
