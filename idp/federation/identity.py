"""Who somebody is at another OpenID provider, by its ID token (OpenID Connect Core section 3.1.3.7,
security.md S61). Pure: the keys and the time are handed in."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256, sha512
from typing import Any, NamedTuple

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.directory.identity_providers import UpstreamProvider
from idp.directory.users import canonical_email
from idp.federation.upstream import Tokens
from idp.secret_values import encode, is_same

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519"]
OLDEST = 600.0  # seconds since it was made
AHEAD = 60.0  # by another's clock
MAX_SUBJECT = 255
MAX_BYTES = 16 * 1024
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "Ed25519": "OKP"}


class BadIdentity(Exception):
    """Not an ID token for us, now and for this sign-in; says why, for the log."""


class Identity(NamedTuple):
    """`verified_email` is one that the provider vouches for, in its canonical form."""

    issuer: str
    subject: str
    verified_email: str | None
    hosted_domain: str


class Header(NamedTuple):
    alg: str
    kid: str | None


def header_of(id_token: str) -> Header:
    """It names the key that is then tried; proves nothing. Raises BadIdentity."""
    if len(id_token) > MAX_BYTES:
        raise BadIdentity("the ID token is too long")
    try:
        protected = jws.extract_compact(id_token.encode()).protected
    except (JoseError, ValueError, TypeError) as problem:
        raise BadIdentity("the ID token is no JWT") from problem
    alg, kid = protected.get("alg"), protected.get("kid")
    if alg not in ALGORITHMS or not isinstance(kid, str | None):
        raise BadIdentity("the ID token is signed in a way that we do not take")
    return Header(alg, kid)


def read(
    upstream: UpstreamProvider,
    tokens: Tokens,
    keys: Sequence[dict[str, Any]],
    nonce: str,
    now: float,
) -> Identity:
    """Raises BadIdentity."""
    header = header_of(tokens.id_token)
    claims = _signed(tokens.id_token, header, keys)
    _check_whom_it_is_for(claims, upstream)
    _check_when(claims, now)
    if not is_same(str(claims.get("nonce", "")), nonce):
        raise BadIdentity("the ID token is of another sign-in")
    _check_access_token(claims, header.alg, tokens.access_token)
    hosted_domain = claims.get("hd", "")
    if upstream.hosted_domain and hosted_domain != upstream.hosted_domain:
        raise BadIdentity("the account is of another company")
    return Identity(upstream.issuer, _subject(claims), _verified_email(claims), str(hosted_domain))


def _signed(id_token: str, header: Header, keys: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The payload, by the one key that it can only be."""
    fitting = [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[header.alg]
        and key.get("use", "sig") == "sig"
        and key.get("alg", header.alg) == header.alg
        and header.kid in (None, key.get("kid"))
    ]
    if len(fitting) != 1:
        raise BadIdentity(f"{len(fitting)} keys could have signed the ID token")
    try:
        key_set = KeySet.import_key_set({"keys": fitting})
        opened = jws.deserialize_compact(id_token, key_set, algorithms=[header.alg])
        claims = orjson.loads(opened.payload or b"")
    except (JoseError, ValueError, TypeError) as problem:
        raise BadIdentity(f"the ID token's signature: {problem!a}") from problem
    if not isinstance(claims, dict):
        raise BadIdentity("the ID token's payload is no object")
    return claims


def _check_whom_it_is_for(claims: dict[str, Any], upstream: UpstreamProvider) -> None:
    """For us alone: whoever else it is for could have handed it to us."""
    audience, party = claims.get("aud"), claims.get("azp")
    single = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    if claims.get("iss") != upstream.issuer:
        raise BadIdentity("the ID token is another issuer's")
    if single != upstream.client_id or party not in (None, upstream.client_id):
        raise BadIdentity("the ID token is for somebody else")


def _check_when(claims: dict[str, Any], now: float) -> None:
    made, ends = _time(claims, "iat"), _time(claims, "exp")
    if not now - OLDEST <= made <= now + AHEAD or ends <= now - AHEAD:
        raise BadIdentity("the ID token is too old, or from the future")


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadIdentity(f"the ID token has no {name}")
    return value


def _check_access_token(claims: dict[str, Any], alg: str, access_token: str) -> None:
    """Where it names one: by the left half of its hash (section 3.1.3.6)."""
    told = claims.get("at_hash")
    digest = (sha512 if alg == "Ed25519" else sha256)(access_token.encode()).digest()
    expected = encode(digest[: len(digest) // 2])
    if told is not None and not is_same(str(told), expected):
        raise BadIdentity("the ID token goes with another access token")


def _subject(claims: dict[str, Any]) -> str:
    subject = claims.get("sub")
    is_sound = isinstance(subject, str) and subject.isascii() and 0 < len(subject) <= MAX_SUBJECT
    if not is_sound:
        raise BadIdentity("the ID token is about nobody")
    return str(subject)


def _verified_email(claims: dict[str, Any]) -> str | None:
    """The word `true`, and nothing that looks like it (security.md S60)."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    return canonical_email(email)
