"""The product's API: access tokens checked here, offline, by the provider's published keys."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, jsonify, request

from relying_parties.base import step_up
from relying_parties.base.issuer_keys import TokenRefused, check_claims
from relying_parties.base.product import Product, current_product
from relying_parties.base.provider import ProviderAway
from relying_parties.base.step_up import StepUp

ACCESS_TOKEN_TYPES = ("at+jwt", "application/at+jwt")
View = Callable[..., Any]


def token_with(*, permission: str) -> Callable[[View], View]:
    """A JSON route for bearer tokens that carry the permission. The view is given the claims."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Any:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                return _challenge(401)
            try:
                claims = verify_access_token(token.strip(), current_product())
            except TokenRefused as refusal:
                return _challenge(401, "invalid_token", str(refusal))
            except ProviderAway:
                return jsonify(error="temporarily_unavailable"), 503
            if permission not in claims.get("permissions", ()):
                return _challenge(403, "insufficient_scope", f"needs {permission}")
            return view(claims, **arguments)

        return guarded

    return guard


def verify_access_token(token: str, product: Product) -> dict[str, Any]:
    """The claims of a good access token for this product (RFC 9068 section 4)."""
    verified = product.keys.verify(token)
    if str(verified.header.get("typ", "")).lower() not in ACCESS_TOKEN_TYPES:
        raise TokenRefused("not an access token by its type")
    expected_issuer = product.configuration.issuer
    expected_audience = product.configuration.resource
    now = product.clock()
    check_claims(verified.claims, now=now, iss=expected_issuer, aud=expected_audience, sub=None)
    if "cnf" in verified.claims:
        # RFC 9449 section 7.2: a token bound to a key must not be taken as a mere bearer token.
        raise TokenRefused("bound to a key that was not shown")
    return verified.claims


def challenge_for(wanted: StepUp) -> Response:
    """RFC 9470: the token is good, but the sign-in behind it too weak or too old for this."""
    text = "a stronger or more recent sign-in is required"
    return _challenge(401, step_up.ERROR, text, **wanted.parameters)


def _challenge(status: int, error: str = "", description: str = "", **more: str) -> Response:
    """RFC 6750 section 3: no error code where no token was sent at all."""
    product = current_product()
    fields = {"realm": product.configuration.resource}
    if error:
        fields |= {"error": error, "error_description": description, **more}
    response = jsonify(error=error or "token_required", error_description=description)
    response.status_code = status
    response.headers["WWW-Authenticate"] = "Bearer " + ", ".join(
        f'{name}="{_quotable(value)}"' for name, value in fields.items()
    )
    return response


def _quotable(text: str) -> str:
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)
