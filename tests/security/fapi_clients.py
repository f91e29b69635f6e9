"""Clients of the FAPI 2.0 profiles, and each step of their flow: push, sign in, redeem, call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from idp.oidc.client_authentication import ASSERTION_TYPE
from tests.security.protocol import Party, asked_by, of_people
from tests.security.proving_possession import KEY as HOLDER
from tests.security.proving_possession import Key, made, push_with, redeem_with, send
from tests.world import AMARA, ISSUER, PASSWORD, sent_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.test import TestResponse

    from tests.world import Visitor, World

SIGNER = ECKey.generate_key("P-256", {"kid": "signing-1"})
HEADER = {"alg": "ES256", "kid": "signing-1", "typ": "oauth-authz-req+jwt"}


def of_profile(client_id: str, profile: str, key: Any = SIGNER, **form: Any) -> Party:
    return replace(of_people(client_id, "private_key_jwt", profile=profile, **form), key=key)


FAPI = of_profile("fapi", "fapi2_security")
SIGNED = of_profile("fapi-signed", "fapi2_message_signing")
OTHER = of_profile(
    "fapi-other", "fapi2_security", ECKey.generate_key("P-256", {"kid": "signing-1"})
)


def push(world: World, party: Party = FAPI, by: str | None = None, **changed: Any) -> TestResponse:
    """As the client asks: by what stands in the form, or by what it has signed."""
    if party.form["profile"] == "fapi2_security":
        return push_with(world, party, by, **changed)
    return push_signed(world, request_object(world, party, **changed), party, by)


def push_signed(
    world: World, request: str, party: Party = SIGNED, by: str | None = None, **beside: str
) -> TestResponse:
    return send(world, party, "/par", by, request=request, **beside)


def pushed_by(world: World, assertion: str, client_id: str = FAPI.client_id) -> TestResponse:
    """A request that lacks all but a proof of its client: this assertion."""
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return world.post("/par", {}, **proof, client_id=client_id)


def request_object(world: World, party: Party = SIGNED, key: Any = SIGNER, **changed: Any) -> str:
    """A sound one; None leaves a claim out."""
    now = int(world.clock())
    sound = {
        "iss": party.client_id,
        "aud": ISSUER,
        "nbf": now,
        "exp": now + 300,
        **asked_by(party),
        "response_mode": "jwt",
    }
    header = {**HEADER, **changed.pop("header", {})}
    claims = {name: value for name, value in {**sound, **changed}.items() if value is not None}
    return str(jwt.encode(header, claims, key, algorithms=[header["alg"]]))


def request_uri(world: World, party: Party = FAPI, **changed: Any) -> str:
    answer = push(world, party, **changed)
    assert answer.status_code == 201, answer.text
    return str((answer.json or {})["request_uri"])


def begin(visitor: Visitor, name: str, party: Party = FAPI, **beside: str) -> TestResponse:
    fields = {"client_id": party.client_id, "request_uri": name, **beside}
    return visitor.get("/authorize?" + urlencode(fields))


def finish(visitor: Visitor, answer: TestResponse) -> TestResponse:
    page = visitor.follow(answer)
    return visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))


def code(world: World, party: Party = FAPI, **changed: Any) -> str:
    visitor = world.browser()
    name = request_uri(world, party, **changed)
    return sent_back(finish(visitor, begin(visitor, name, party)))["code"]


def tokens(world: World, party: Party = FAPI, key: Key = HOLDER, **changed: Any) -> dict[str, Any]:
    answer = redeem_with(world, party, code(world, party, **changed), made(world, key=key))
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def from_now(world: World, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers are seconds from now."""
    now = int(world.clock())
    return {n: now + v if isinstance(v, int) else v for n, v in changed.items()}
