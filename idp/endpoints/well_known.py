"""Discovery (OpenID Connect Discovery, RFC 8414) and the JWK Set: bytes made once, with an ETag."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from idp.endpoints.messages import Headers, Request, Response
from idp.errors import StoreUnavailable
from idp.grants.claims import CLAIMS
from idp.oidc import client_certificate, pkce
from idp.oidc.authorization_request import PROMPTS
from idp.oidc.client_authentication import METHODS
from idp.oidc.client_metadata import GRANT_TYPES, POLL
from idp.oidc.dpop import PROOF_ALGORITHMS
from idp.oidc.reply_to import RESPONSE_MODES
from idp.oidc.scopes import SCOPES
from idp.policies import assurance
from idp.provider import Provider
from idp.settings import LANGUAGES, Settings
from idp.tokens import subjects
from idp.tokens.encrypted_tokens import CONTENT_ALGORITHMS, KEY_ALGORITHMS
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.others_keys import SIGNATURE_ALGORITHMS

DISCOVERY_MAX_AGE = 3600
ALIASED = (
    *("token", "revocation", "introspection", "userinfo"),
    *("pushed_authorization_request", "device_authorization", "backchannel_authentication"),
)


def metadata(settings: Settings, details_types: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a client needs to know; nothing in it comes from a request (security.md S13). A list of
    nothing is left out (OpenID Connect Discovery section 4.2)."""
    issuer, methods = settings.issuer, _methods(settings)
    told = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "backchannel_authentication_endpoint": f"{issuer}/bc-authorize",
        "registration_endpoint": f"{issuer}/register",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "check_session_iframe": f"{issuer}/check_session",
        "product_switcher_endpoint": f"{issuer}/switcher",
        "scopes_supported": list(SCOPES),
        "claims_supported": list(CLAIMS),
        "claim_types_supported": ["normal"],
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": list(subjects.TYPES),
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_encryption_alg_values_supported": list(KEY_ALGORITHMS),
        "authorization_encryption_enc_values_supported": list(CONTENT_ALGORITHMS),
        "id_token_encryption_alg_values_supported": list(KEY_ALGORITHMS),
        "id_token_encryption_enc_values_supported": list(CONTENT_ALGORITHMS),
        "userinfo_signing_alg_values_supported": list(ALGORITHMS),
        "userinfo_encryption_alg_values_supported": list(KEY_ALGORITHMS),
        "userinfo_encryption_enc_values_supported": list(CONTENT_ALGORITHMS),
        "introspection_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_encryption_alg_values_supported": list(KEY_ALGORITHMS),
        "introspection_encryption_enc_values_supported": list(CONTENT_ALGORITHMS),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(SIGNATURE_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": methods[:-1],
        "introspection_endpoint_auth_signing_alg_values_supported": list(SIGNATURE_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(SIGNATURE_ALGORITHMS),
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
        "code_challenge_methods_supported": [pkce.METHOD],
        "prompt_values_supported": sorted(PROMPTS),
        "acr_values_supported": list(assurance.SUPPORTED),
        "ui_locales_supported": LANGUAGES,
        "authorization_details_types_supported": list(details_types),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(SIGNATURE_ALGORITHMS),
        "require_signed_request_object": False,
        "request_uri_parameter_supported": settings.fetch_request_uris,
        "require_request_uri_registration": True,
        "require_pushed_authorization_requests": settings.require_pushed_authorization_requests,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_token_delivery_modes_supported": [POLL],
        "backchannel_authentication_request_signing_alg_values_supported": list(
            SIGNATURE_ALGORITHMS
        ),
        "backchannel_user_code_parameter_supported": False,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
    }
    told |= _of_certificates(settings, told)
    return {name: value for name, value in told.items() if value != []}


def _methods(settings: Settings) -> list[str]:
    """`none` is the last. Certificates can be shown where a proxy tells of them alone."""
    lacking: set[str] = set()
    if not settings.client_certificate_header:
        lacking.update(client_certificate.METHODS)
    if not settings.client_certificate_verified_header:
        lacking.add(client_certificate.BY_AUTHORITY)
    return [method for method in METHODS if method not in lacking]


def _of_certificates(settings: Settings, told: dict[str, Any]) -> dict[str, Any]:
    """RFC 8705 sections 3.3 and 5."""
    if not settings.client_certificate_header:
        return {}
    mine: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True}
    if settings.mtls_url:
        names = [f"{each}_endpoint" for each in ALIASED]
        mine["mtls_endpoint_aliases"] = {
            name: settings.mtls_url + told[name].removeprefix(settings.issuer) for name in names
        }
    return mine


@lru_cache(maxsize=4)
def _encoded_metadata(settings: Settings, details_types: tuple[str, ...]) -> tuple[bytes, str]:
    body = orjson.dumps(metadata(settings, details_types))
    return body, f'"{sha256(body).hexdigest()[:32]}"'


@lru_cache(maxsize=8)
def _headers(etag: str, max_age: int) -> Headers:
    return (
        ("Content-Type", "application/json"),
        ("Cache-Control", f"public, max-age={max_age}"),
        ("ETag", etag),
    )


def _details_types(provider: Provider) -> tuple[str, ...]:
    """Of all products (RFC 9396 section 10); none while that has never been known."""
    try:
        return provider.catalog.last_known(provider.clock()).details_types
    except StoreUnavailable:
        return ()


def discovery(provider: Provider, request: Request) -> Response:
    body, etag = _encoded_metadata(provider.settings, _details_types(provider))
    return _cacheable(request, body, etag, DISCOVERY_MAX_AGE)


def jwks(provider: Provider, request: Request) -> Response:
    """Served while the database is away too, so that products go on validating."""
    now = provider.clock()
    body, etag = provider.key_ring.last_known(now).jwks(now)
    return _cacheable(request, body, etag, provider.settings.jwks_max_age)


def _cacheable(request: Request, body: bytes, etag: str, max_age: int) -> Response:
    """304 when the caller has it already (RFC 9110 section 13.1.2)."""
    if told := request.header("if-none-match"):
        known = [tag.strip().removeprefix("W/") for tag in told.split(",")]
        if etag in known or known == ["*"]:
            return Response(304, _headers(etag, max_age))
    return Response(200, _headers(etag, max_age), body)
