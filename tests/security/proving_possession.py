"""Clients that hold a key, and the proofs that they send with it (DPoP, RFC 9449)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.test import Client

from idp.oidc.dpop import hash_of, nonce
from idp.secret_values import encode, new_id
from idp.tokens.others_keys import SIGNATURES
from tests.security.protocol import Party, asked_by, of_people, proof, segment
from tests.world import ISSUER, VERIFIER

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.world import World

Key = ECKey | OKPKey | RSAKey
KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
APP = of_people("key-app", "none")
SERVER = of_people("key-server")
STRICT = of_people("strict", dpop_bound_access_tokens=True)
MACHINE = Party("key-machine", form={"grant_types": ["client_credentials"], "scope": "loans.read"})


def now_nonce(world: World) -> str:
    return nonce(world.held.secret_keys, world.clock())


def made(
    world: World,
    path: str = "/token",
    method: str = "POST",
    token: str | None = None,
    *,
    key: Key = KEY,
    header: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    """A sound proof for one request, but for what is changed; None leaves a claim out."""
    sound = {
        "jti": new_id(),
        "htm": method,
        "htu": ISSUER + path,
        "iat": int(world.clock()),
        "nonce": now_nonce(world),
        "ath": hash_of(token) if token else None,
    }
    claims = {name: value for name, value in {**sound, **changed}.items() if value is not None}
    usual = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return signed({**usual, **(header or {})}, claims, key)


def signed(header: dict[str, Any], claims: Any, key: Any) -> str:
    """With whatever header, which no library would write."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signing_input = f"{segment(header)}.{encode(payload)}"
    by = SIGNATURES.algorithms[header["alg"]]
    return f"{signing_input}.{encode(by.sign(signing_input.encode(), key))}"


def send(world: World, party: Party, path: str, by: str | None, **form: str | None) -> TestResponse:
    """A form of the client's, with a proof where there is one."""
    headers, fields = proof(world, party)
    if by is not None:
        headers = {**headers, "DPoP": by}
    return world.post(path, headers, **{**fields, **form})


def ask_machine(world: World, by: str | None, party: Party = MACHINE) -> TestResponse:
    return send(world, party, "/token", by, grant_type="client_credentials")


def redeem_with(
    world: World, party: Party, code: str, by: str | None, **changed: str
) -> TestResponse:
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": party.redirect_uri,
        "code_verifier": VERIFIER,
        **changed,
    }
    return send(world, party, "/token", by, **form)


def refresh_with(world: World, party: Party, token: str, by: str | None) -> TestResponse:
    return send(world, party, "/token", by, grant_type="refresh_token", refresh_token=token)


def push_with(world: World, party: Party, by: str | None, **changed: str | None) -> TestResponse:
    return send(world, party, "/par", by, **asked_by(party, **changed))


def bring(
    world: World, token: str, by: str | None, path: str = "/userinfo", scheme: str = "DPoP"
) -> TestResponse:
    headers = {"Authorization": f"{scheme} {token}"}
    if by is not None:
        headers["DPoP"] = by
    return Client(world.app).get(path, headers=headers)


def is_invalid_proof(answer: TestResponse, why: object = "") -> bool:
    found = (answer.status_code, (answer.json or {}).get("error"))
    assert found == (400, "invalid_dpop_proof"), (found, why)
    assert answer.headers["DPoP-Nonce"]
    return True
