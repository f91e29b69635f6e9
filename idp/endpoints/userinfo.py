"""The UserInfo endpoint (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from typing import Any

import orjson

from idp.directory.clients import Client
from idp.endpoints.bearer import person_bearer
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.grants import claims
from idp.oidc import encrypted_responses
from idp.oidc.encrypted_responses import encrypted
from idp.provider import Provider
from idp.tokens.signed_tokens import USERINFO, mint

AS_JWT = (("Content-Type", "application/jwt"), *NO_STORE)


def userinfo(provider: Provider, request: Request) -> Response:
    """The person's claims as they are now, not as they were when the token was made; signed,
    encrypted, or signed and then encrypted, where the client registered so (section 5.3.2)."""
    bearer = person_bearer(provider, request)
    client = bearer.client
    told = claims.userinfo(bearer.state, client, bearer.product, bearer.scope, provider.secret_keys)
    if client.userinfo_signed_response_alg:
        content = _signed(provider, client, client.userinfo_signed_response_alg, told)
    elif client.userinfo_encrypted_response_alg:
        content = orjson.dumps(told).decode()
    else:
        return json_response(told)
    is_token = client.userinfo_signed_response_alg is not None
    keys, now = provider.client_keys, provider.clock()
    body = encrypted(client, keys, encrypted_responses.USERINFO, content, now, is_token=is_token)
    return Response(200, AS_JWT, body.encode())


def _signed(provider: Provider, client: Client, alg: str, told: dict[str, Any]) -> str:
    now = provider.clock()
    key = provider.key_ring.current(now).signer(alg, now)
    return mint(key, USERINFO, {**told, "iss": provider.settings.issuer, "aud": client.client_id})
