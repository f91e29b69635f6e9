"""Access tokens at the protocol's own endpoints (RFC 6750, RFC 9449 section 7.1)."""

from __future__ import annotations

from idp import possession
from idp.access_tokens import Bearer, find_access_token
from idp.endpoints.messages import Request
from idp.errors import BearerRefusal
from idp.grants import claims
from idp.oidc import parameters
from idp.oidc.parameters import Malformed
from idp.provider import Provider

SCHEMES = ("bearer", "dpop")


def claimed_token(request: Request) -> tuple[str, str]:
    """The scheme and the token, from the Authorization header or a form body, one of them (RFC 6750
    section 2)."""
    scheme, _, token = request.header("authorization").partition(" ")
    in_body = _body_token(request)
    if scheme and scheme.lower() not in SCHEMES:
        raise BearerRefusal("invalid_token", "A bearer token is needed.")
    if token and in_body:
        raise _sent_twice()
    return (scheme.lower() or "bearer", token.strip() or in_body)


def _body_token(request: Request) -> str:
    if not request.is_form:
        return ""
    try:
        sent = parameters.parse(request.body.decode())
    except (Malformed, UnicodeDecodeError) as problem:
        raise BearerRefusal(
            "invalid_request", "The form can't be read.", str(problem), status=400
        ) from problem
    if "access_token" in sent.repeated:
        raise _sent_twice()
    return sent.get("access_token") or ""


def _sent_twice() -> BearerRefusal:
    """RFC 6750 section 3.1."""
    return BearerRefusal("invalid_request", "The token was sent twice.", status=400)


def person_bearer(provider: Provider, request: Request) -> Bearer:
    """The one who calls by a person's access token that is good at our own endpoints."""
    scheme, token = claimed_token(request)
    if not token:
        raise BearerRefusal("", "A bearer token is needed.")
    found = find_access_token(provider, token)
    if found is None:
        raise BearerRefusal("invalid_token", "The access token is not valid.")
    possession.check_brought(provider, request, token, found.claims, scheme)
    if claims.userinfo_endpoint(provider.settings) not in found.audience:
        raise BearerRefusal("insufficient_scope", "The token needs the scope openid.", status=403)
    return found
