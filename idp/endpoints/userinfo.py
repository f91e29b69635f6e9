"""The UserInfo endpoint (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from idp.endpoints.bearer import person_bearer
from idp.endpoints.messages import Request, Response, json_response
from idp.grants import claims
from idp.provider import Provider


def userinfo(provider: Provider, request: Request) -> Response:
    """The person's claims as they are now, not as they were when the token was made."""
    bearer = person_bearer(provider, request)
    told = claims.userinfo(
        bearer.state, bearer.client, bearer.product, bearer.scope, provider.secret_keys
    )
    return json_response(told)
