"""Bearer tokens (RFC 6750) at the protocol's own endpoints."""

from __future__ import annotations

from idp.access_tokens import Bearer, find_access_token
from idp.endpoints.messages import Request
from idp.errors import BearerRefusal
from idp.grants import claims
from idp.oidc import parameters
from idp.oidc.parameters import Malformed
from idp.provider import Provider


def claimed_token(request: Request) -> str:
    """From the Authorization header or a form body, one of them (RFC 6750 section 2)."""
    scheme, _, token = request.header("authorization").partition(" ")
    in_body = _body_token(request)
    if scheme and scheme.lower() != "bearer":
        raise BearerRefusal("invalid_token", "A bearer token is needed.")
    if token and in_body:
        raise BearerRefusal("invalid_request", "The token was sent twice.", status=400)
    return token.strip() or in_body


def _body_token(request: Request) -> str:
    if not request.is_form:
        return ""
    try:
        sent = parameters.parse(request.body.decode())
    except (Malformed, UnicodeDecodeError) as problem:
        raise BearerRefusal(
            "invalid_request", "The form can't be read.", str(problem), status=400
        ) from problem
    return sent.get("access_token") or ""


def person_bearer(provider: Provider, request: Request) -> Bearer:
    """The one who calls by a person's access token that is good at our own endpoints."""
    token = claimed_token(request)
    if not token:
        raise BearerRefusal("", "A bearer token is needed.")
    found = find_access_token(provider, token)
    if found is None:
        raise BearerRefusal("invalid_token", "The access token is not valid.")
    if claims.userinfo_endpoint(provider.settings) not in found.audience:
        raise BearerRefusal("insufficient_scope", "The token needs the scope openid.", status=403)
    return found
