"""Client authentication: by the one method that the client registered (RFC 6749 section 2.3).

An assertion is verified here; that its `jti` was not used before is the endpoint's one write.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from idp.directory.clients import Client
from idp.errors import ClientRefusal, OAuthRefusal
from idp.oidc import client_certificate
from idp.oidc.client_certificate import ClientCertificate, check_certificate
from idp.oidc.client_keys import BadSignature, verify_signed
from idp.oidc.jwks_uri import ClientKeys
from idp.oidc.parameters import Parameters
from idp.secret_values import fingerprint, is_same

METHODS = (
    *("client_secret_basic", "client_secret_post", "private_key_jwt"),
    *client_certificate.METHODS,
    "none",
)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_TYPES = ("", "jwt", "client-authentication+jwt")
MAX_ASSERTION_LIFETIME = 300
MAX_ASSERTION_BYTES = 8192
MAX_JTI = 256
MAX_AHEAD = 10
KEPT_LONGER = 60  # for processes whose clocks are behind


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client, and for an assertion the name that it may use once, until `expires_at`;
    `made_at` is no later than it was, by whichever clock."""

    client: Client
    assertion_name: str = ""
    expires_at: float = 0.0
    made_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Claimed:
    method: str
    client_id: str
    credential: str


def authenticate(
    sent: Parameters,
    authorization: str,
    find_client: Callable[[str], Client | None],
    keys: ClientKeys,
    audiences: Sequence[str],
    certificate: ClientCertificate | None,
    now: float,
) -> Authenticated:
    """Raises ClientRefusal, with why for the log, or OAuthRefusal for a request that no client may
    make. `audiences` are our names (RFC 7523), the issuer first."""
    claimed = _claimed(sent, authorization)
    client = find_client(claimed.client_id)
    if client is None:
        raise ClientRefusal(f"unknown client {claimed.client_id[:80]!r}")
    try:
        return _check(client, claimed, keys, audiences, certificate, now)
    except ClientRefusal as refusal:
        raise ClientRefusal(refusal.detail, client.client_id) from refusal


def _check(
    client: Client,
    claimed: _Claimed,
    keys: ClientKeys,
    audiences: Sequence[str],
    certificate: ClientCertificate | None,
    now: float,
) -> Authenticated:
    """Who proves itself by its connection sends its name alone (RFC 8705 section 2)."""
    if claimed.method == "none" and client.token_endpoint_auth_method in client_certificate.METHODS:
        check_certificate(client, keys, certificate, now)
        return Authenticated(client)
    if claimed.method != client.token_endpoint_auth_method:
        raise ClientRefusal(f"{client.client_id} registered another method than {claimed.method}")
    if claimed.method == "private_key_jwt":
        return _check_assertion(client, claimed.credential, keys, audiences, now)
    if claimed.method != "none":
        _check_secret(client, claimed.credential, now)
    return Authenticated(client)


def _claimed(sent: Parameters, authorization: str) -> _Claimed:
    """Exactly one method (RFC 6749 section 5.2); the client names that it gives must agree."""
    found = [
        claimed
        for claimed in (_basic(authorization), _assertion(sent), _post(sent))
        if claimed is not None
    ]
    client_id = sent.get("client_id")
    if len(found) > 1:
        raise OAuthRefusal("invalid_request", "The client proves itself in two ways at once.")
    if not found:
        return _Claimed("none", client_id or "", "")
    if client_id is not None and client_id != found[0].client_id:
        raise ClientRefusal("client_id differs from the authenticated one")
    return found[0]


def _basic(authorization: str) -> _Claimed | None:
    scheme, _, encoded = authorization.partition(" ")
    if not authorization:
        return None
    if scheme.lower() != "basic":
        raise ClientRefusal("an Authorization header that is not Basic")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError as problem:
        raise ClientRefusal("an Authorization header that is not base64") from problem
    name, _, secret = text.partition(":")
    return _Claimed("client_secret_basic", *map(_decoded, (name, secret)))


def _decoded(text: str) -> str:
    """As of a form's field (RFC 6749 section 2.3.1)."""
    return unquote_plus(text) if "%" in text or "+" in text else text


def _post(sent: Parameters) -> _Claimed | None:
    secret = sent.get("client_secret")
    if secret is None:
        return None
    return _Claimed("client_secret_post", sent.get("client_id") or "", secret)


def _assertion(sent: Parameters) -> _Claimed | None:
    assertion, kind = sent.get("client_assertion"), sent.get("client_assertion_type")
    if assertion is None and kind is None:
        return None
    if kind != ASSERTION_TYPE or assertion is None or len(assertion) > MAX_ASSERTION_BYTES:
        raise ClientRefusal("an unknown kind of assertion")
    return _Claimed("private_key_jwt", _unverified_subject(assertion), assertion)


def _unverified_subject(assertion: str) -> str:
    """Names the client whose keys are then tried; proves nothing."""
    try:
        claims = orjson.loads(jws.extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError) as problem:
        raise ClientRefusal("the assertion is not a JWT") from problem
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else ""


def _check_secret(client: Client, claimed_secret: str, now: float) -> None:
    claimed_hash = fingerprint(claimed_secret)
    for secret in client.secrets:
        in_force = secret.expires_at is None or secret.expires_at > now
        if is_same(secret.secret_hash, claimed_hash) and in_force:
            return
    raise ClientRefusal(f"{client.client_id} sent a wrong secret")


def _check_assertion(
    client: Client, assertion: str, keys: ClientKeys, audiences: Sequence[str], now: float
) -> Authenticated:
    """RFC 7523 section 3, with the bounds of FAPI 2.0: five minutes, one use."""
    claims = _signed_claims(client, assertion, keys, now)
    expires_at, jti = claims.get("exp"), claims.get("jti")
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise ClientRefusal("the assertion is not by and about the client")
    if not _is_for_us(client, claims.get("aud"), audiences):
        raise ClientRefusal("the assertion is for somebody else")
    if not isinstance(expires_at, int | float) or not _is_soon(expires_at, now):
        raise ClientRefusal("the assertion has no exp within five minutes")
    if any(_is_ahead(claims.get(name), now) for name in ("iat", "nbf")):
        raise ClientRefusal("the assertion is from the future")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise ClientRefusal("the assertion has no jti")
    name = f"assertion {client.client_id} {jti}"
    issued_at = claims.get("iat")
    made_at = max(expires_at - MAX_ASSERTION_LIFETIME, (issued_at or 0) - MAX_AHEAD)
    return Authenticated(client, name, float(expires_at + KEPT_LONGER), float(made_at))


def _signed_claims(client: Client, assertion: str, keys: ClientKeys, now: float) -> dict[str, Any]:
    """A JWT that says what it is says that it is an assertion: a client's request object, by the
    same key, proves nothing here (RFC 8725 section 3.12)."""
    try:
        alg = client.token_endpoint_auth_signing_alg
        typ, claims = verify_signed(client, keys, assertion, alg, now)
    except BadSignature as problem:
        raise ClientRefusal(f"the assertion's {problem}") from problem
    if typ not in ASSERTION_TYPES:
        raise ClientRefusal(f"a JWT of type {typ!a} is no assertion")
    return claims


def _is_for_us(client: Client, audience: object, audiences: Sequence[str]) -> bool:
    """A client of a profile names the issuer, and that as a string alone (FAPI 2.0 Security Profile
    section 5.3.2.1)."""
    if client.profile is not None:
        return audience == audiences[0]
    single = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    return isinstance(single, str) and single in audiences


def _is_soon(expires_at: float, now: float) -> bool:
    return now < expires_at <= now + MAX_ASSERTION_LIFETIME


def _is_ahead(value: object, now: float) -> bool:
    """A time, where one is given, may be ten seconds ahead of ours."""
    if value is None:
        return False
    return not isinstance(value, int | float) or value > now + MAX_AHEAD
