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

from idp.directory.profile import MAX_NAME
from idp.directory.upstream_providers import UpstreamProvider
from idp.directory.users import canonical_email
from idp.directory.wording import one_line
from idp.federation.upstream import Tokens
from idp.secret_values import encode, is_same
from idp.tokens.others_keys import problem_of

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519"]
OLDEST = 600.0  # seconds since it was made
AHEAD = 60.0  # by another's clock
MAX_WORD = 255
MAX_BYTES = 16 * 1024
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "Ed25519": "OKP"}


class BadIdentity(Exception):
    """Not an ID token for us, now and for this sign-in; says why, for the log."""


class Identity(NamedTuple):
    """`email` is the address as claimed, in its canonical form; `is_verified` where the provider
    vouches for it (security.md S60), and `is_disowned` where it says that it does not. `acr`, `amr`
    and `auth_time` are of the sign-in there, and mean what the provider means by them. What was not
    told is empty, or None."""

    issuer: str
    subject: str
    email: str | None
    is_verified: bool
    is_disowned: bool
    name: str
    acr: str
    amr: tuple[str, ...]
    auth_time: float | None


class Header(NamedTuple):
    alg: str
    kid: str | None


def header_of(id_token: str) -> Header:
    """It names the key that is then tried; proves nothing. Raises BadIdentity."""
    if len(id_token) > MAX_BYTES:
        raise BadIdentity("the ID token is too long")
    try:
        protected: Any = jws.extract_compact(id_token.encode()).protected
    except (JoseError, ValueError) as problem:
        raise BadIdentity("the ID token is no JWT") from problem
    if not isinstance(protected, dict):  # a list with the word alg in it is read, too
        raise BadIdentity("the ID token's header is no object")
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
    if not upstream.vouches:
        raise BadIdentity("anybody can open an account there, and no hosted domain is set")
    if upstream.hosted_domain and claims.get("hd") != upstream.hosted_domain:
        raise BadIdentity("the account is of another company")
    return _identity(claims, upstream)


def _signed(id_token: str, header: Header, keys: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The payload, by the one key that it can only be."""
    key_set = KeySet.import_key_set({"keys": [_key_of(header, keys)]})
    try:
        opened = jws.deserialize_compact(id_token, key_set, algorithms=[header.alg])
        claims = orjson.loads(opened.payload or b"")
    except (JoseError, ValueError, TypeError) as problem:
        raise BadIdentity(f"the ID token's signature: {problem!a}") from problem
    if not isinstance(claims, dict):
        raise BadIdentity("the ID token's payload is no object")
    return claims


def _key_of(header: Header, keys: Sequence[dict[str, Any]]) -> Any:
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
    problem = problem_of(fitting[0])
    if problem:
        raise BadIdentity(f"the key that could have signed the ID token {problem}")
    return fitting[0]


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
    told = [made, *(_told_time(claims, name) for name in ("nbf", "auth_time"))]
    is_ahead = any(each is not None and each > now + AHEAD for each in told)
    if is_ahead or made < now - OLDEST or ends <= now - AHEAD:
        raise BadIdentity("the ID token is too old, or from the future")


def _told_time(claims: dict[str, Any], name: str) -> float | None:
    return None if claims.get(name) is None else _time(claims, name)


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadIdentity(f"the ID token has no {name}")
    return float(value)


def _check_access_token(claims: dict[str, Any], alg: str, access_token: str) -> None:
    """Where it names one: by the left half of its hash (section 3.1.3.6)."""
    told = claims.get("at_hash")
    digest = (sha512 if alg == "Ed25519" else sha256)(access_token.encode()).digest()
    expected = encode(digest[: len(digest) // 2])
    if told is not None and not is_same(str(told), expected):
        raise BadIdentity("the ID token goes with another access token")


def _identity(claims: dict[str, Any], upstream: UpstreamProvider) -> Identity:
    subject, methods = _word(claims.get("sub")), claims.get("amr")
    if not subject:
        raise BadIdentity("the ID token is about nobody")
    email = _email(claims.get(upstream.email_claim))
    return Identity(
        issuer=upstream.issuer,
        subject=subject,
        email=email,
        is_verified=email is not None and _is_verified(claims, email),
        is_disowned=claims.get("email_verified", True) is not True,
        name=_line(claims.get(upstream.name_claim)),
        acr=_word(claims.get("acr")),
        amr=tuple(filter(None, map(_word, methods if isinstance(methods, list) else ()))),
        auth_time=_told_time(claims, "auth_time"),
    )


def _word(told: object) -> str:
    """Printable ASCII, as a subject is (OpenID Connect Core section 2); else empty."""
    is_word = isinstance(told, str) and told.isascii() and told.isprintable()
    return str(told) if is_word and len(str(told)) <= MAX_WORD else ""


def _email(told: object) -> str | None:
    return canonical_email(told) if isinstance(told, str) else None


def _is_verified(claims: dict[str, Any], email: str) -> bool:
    """By the word `true`, and nothing that looks like it, of the claim `email` (section 5.1)."""
    return claims.get("email_verified") is True and _email(claims.get("email")) == email


def _line(told: object) -> str:
    return (one_line(told, MAX_NAME) if isinstance(told, str) else None) or ""
