"""Logout tokens: the provider says that a session has ended (Back-Channel Logout 1.0)."""

from dataclasses import dataclass
from typing import Any

from relying_parties.base.expiring import ExpiringValues
from relying_parties.base.issuer_keys import (
    LEEWAY_SECONDS,
    IssuerKeys,
    TokenRefused,
    check_claims,
)

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True)
class Ended:
    """What has ended: the provider session `sid`, or every session of `sub`."""

    sub: str | None
    sid: str | None


def verify_logout_token(
    token: str,
    *,
    keys: IssuerKeys,
    spent: ExpiringValues,
    expected_issuer: str,
    expected_audience: str,
    now: float,
) -> Ended:
    """All of section 2.6; raises TokenRefused. A `jti` counts once (section 2.6, step 8)."""
    verified = keys.verify(token)
    claims = verified.claims
    if verified.header.get("typ", "logout+jwt").lower() != "logout+jwt":
        raise TokenRefused("not a logout token by its type")
    check_claims(claims, now=now, iss=expected_issuer, aud=expected_audience, iat=None, jti=None)
    _check_event(claims)
    ended = _read_subject(claims)
    if not spent.spend(claims["jti"], claims["exp"] + LEEWAY_SECONDS - now):
        raise TokenRefused("seen before")
    return ended


def _check_event(claims: dict[str, Any]) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenRefused("no logout event")
    if "nonce" in claims:
        raise TokenRefused("a nonce marks an ID token")


def _read_subject(claims: dict[str, Any]) -> Ended:
    sub, sid = claims.get("sub"), claims.get("sid")
    if not sub and not sid:
        raise TokenRefused("names neither a person nor a session")
    if not isinstance(sid, str | None):
        raise TokenRefused("sid is not a string")
    return Ended(sub, sid)
