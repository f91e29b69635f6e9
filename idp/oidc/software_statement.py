"""Software statements (RFC 7591 section 2.3): what somebody whom the operator trusts says of a
client's software, signed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.errors import MetadataRefusal, OAuthRefusal, SetupMistake
from idp.oidc.jwks import check_jwks
from idp.tokens.others_keys import SIGNATURES

MAX_STATEMENT = 16 * 1024
MAX_AHEAD = 10

Issuers = Mapping[str, KeySet]  # by `iss`


def read_issuers(file: str) -> Issuers:
    """A JSON object that maps each trusted `iss` to a JWK Set; none where no file is named. Raises
    SetupMistake."""
    if not file:
        return {}
    try:
        told = orjson.loads(Path(file).read_bytes())
        for jwks in told.values():
            check_jwks(jwks)
        return {iss: KeySet.import_key_set({"keys": jwks["keys"]}) for iss, jwks in told.items()}
    except OSError as problem:
        raise SetupMistake(f"{file} can't be read: {problem.strerror}.") from problem
    except (ValueError, AttributeError, TypeError, MetadataRefusal) as problem:
        raise SetupMistake(f"{file} must map issuers to JWK Sets: {problem}") from None


class InvalidStatement(OAuthRefusal):
    def __init__(self, detail: str) -> None:
        sentence = "The software statement is not valid."
        super().__init__("invalid_software_statement", sentence, f"software statement: {detail}")


class MissingStatement(OAuthRefusal):
    def __init__(self) -> None:
        sentence = "A software statement is needed to register here."
        super().__init__("invalid_software_statement", sentence, "software statement: none")


class UnapprovedStatement(OAuthRefusal):
    def __init__(self, issuer: str) -> None:
        sentence = "The software statement is by nobody who is trusted here."
        super().__init__(
            "unapproved_software_statement", sentence, f"software statement by {issuer[:80]!a}"
        )


def verify_statement(
    claimed: object, issuers: Issuers, expected_audience: str, now: float
) -> dict[str, Any]:
    """Its claims. `iss` chooses the keys, and nothing in the header does. Where it has an end or an
    audience, it has not ended and is for us. Raises InvalidStatement, UnapprovedStatement."""
    if not isinstance(claimed, str) or not 0 < len(claimed) <= MAX_STATEMENT:
        raise InvalidStatement("no text of a sound length")
    issuer = _claims(claimed).get("iss")
    if not isinstance(issuer, str):
        raise InvalidStatement("no iss")
    if issuer not in issuers:
        raise UnapprovedStatement(issuer)
    claims = _verified(claimed, issuers[issuer])
    _check_time(claims, now)
    audience = claims.get("aud", expected_audience)
    if expected_audience not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidStatement("for somebody else")
    return claims


def _claims(claimed: str) -> dict[str, Any]:
    """Unverified."""
    try:
        claims = orjson.loads(jws.extract_compact(claimed.encode()).payload)
    except (JoseError, ValueError) as problem:
        raise InvalidStatement(f"{problem!a}") from problem
    if not isinstance(claims, dict):
        raise InvalidStatement("the payload is no object")
    return claims


def _verified(claimed: str, keys: KeySet) -> dict[str, Any]:
    try:
        opened = jws.deserialize_compact(claimed, keys, registry=SIGNATURES)
        claims: dict[str, Any] = orjson.loads(opened.payload or b"")
    except (JoseError, ValueError, TypeError) as problem:  # TypeError: `crit` is no list of text
        raise InvalidStatement(f"{problem!a}") from problem
    return claims


def _check_time(claims: Mapping[str, Any], now: float) -> None:
    told = {name: claims[name] for name in ("exp", "iat", "nbf") if claims.get(name) is not None}
    for name, at in told.items():
        if not isinstance(at, int | float):
            raise InvalidStatement(f"its {name} is no time")
        if at <= now if name == "exp" else at > now + MAX_AHEAD:
            raise InvalidStatement(f"its {name}")
