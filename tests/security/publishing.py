"""Clients whose keys are at a `jwks_uri`, on hosts of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import ECKey

from idp.oidc.client_authentication import ASSERTION_TYPE
from tests.security.client_host import SOUND
from tests.security.protocol import MACHINE, Party, assertion, register

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.security.client_host import Host
    from tests.world import World


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


FIRST, SECOND = new_key("first"), new_key("second")


def key_set(*keys: Any) -> bytes:
    """Public halves; what is no key of ours stands as it is."""
    told = [each if isinstance(each, dict) else each.as_dict(private=False) for each in keys]
    return json.dumps({"keys": told}).encode()


def machine(host: Host, client_id: str = "publishes", path: str = SOUND, **form: Any) -> Party:
    described = {**MACHINE.form, "jwks_uri": host.address(path), **form}
    return Party(client_id, "private_key_jwt", described)


def published(world: World, host: Host, *keys: Any) -> Party:
    """A machine that is registered, with these keys at its address."""
    host.bodies[SOUND] = key_set(*keys)
    party = machine(host)
    register(world, party)
    return party


def ask_by(world: World, party: Party, key: ECKey, **header: Any) -> TestResponse:
    """For a token, by an assertion that the key has signed."""
    header = {"alg": "ES256", "kid": key.kid, **header}
    signed = assertion(world, party, key, header)
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
    return world.post("/token", {}, grant_type="client_credentials", **fields)


def request_of(claims: dict[str, Any], key: ECKey) -> str:
    header = {"alg": "ES256", "kid": key.kid, "typ": "oauth-authz-req+jwt"}
    return jwt.encode(header, claims, key)
