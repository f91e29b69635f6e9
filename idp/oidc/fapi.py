"""The FAPI 2.0 profiles as one member of a client: what it settles where nothing else is said, and
what contradicts it (FAPI 2.0 Security Profile, final, sections 5.3.2 and 5.4; FAPI 2.0 Message
Signing, final, sections 5.3 and 5.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SECURITY = "fapi2_security"
MESSAGE_SIGNING = "fapi2_message_signing"
PROFILES = (SECURITY, MESSAGE_SIGNING)
ALGORITHMS = ("ES256", "PS256", "Ed25519", "EdDSA")
METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")

ValueOf = Callable[[str], Any]


class Demand(NamedTuple):
    """The first of what is `accepted` is what the profile settles."""

    member: str
    accepted: Sequence[Any]
    sentence: str


SIGNED = (
    *("id_token_signed_response_alg", "access_token_signed_response_alg"),
    *("authorization_signed_response_alg", "introspection_signed_response_alg"),
)
SIGNED_IF_NAMED = (
    *("token_endpoint_auth_signing_alg", "request_object_signing_alg"),
    "userinfo_signed_response_alg",
)
ASYMMETRIC = "The client's profile has PS256, ES256 and EdDSA alone."
BOUND_TOKENS = Demand(
    "dpop_bound_access_tokens",
    (True,),
    "The client's profile has tokens alone that are bound to a key or a certificate.",
)
DEMANDS = (
    Demand(
        "token_endpoint_auth_method",
        METHODS,
        "The client's profile has private_key_jwt and certificates alone.",
    ),
    Demand(
        "require_pushed_authorization_requests",
        (True,),
        "The client's profile has pushed requests alone.",
    ),
    Demand("require_pkce", (True,), "The client's profile can't do without PKCE."),
    BOUND_TOKENS,
    Demand(
        "refresh_token_rotation",
        (False,),
        "The client's profile has refresh tokens that stay the same.",
    ),
    *(Demand(name, (None, *ALGORITHMS), ASYMMETRIC) for name in SIGNED_IF_NAMED),
    *(Demand(name, ALGORITHMS, ASYMMETRIC) for name in SIGNED),
)
SIGNED_REQUESTS = Demand(
    "require_signed_request_object", (True,), "The client's profile has signed requests alone."
)


def settled(profile: str | None, value_of: ValueOf) -> dict[str, Any]:
    """Members whose value the profile has otherwise, as it has them."""
    return {each.member: each.accepted[0] for each in _unmet(profile, value_of)}


def find_contradiction(profile: str, value_of: ValueOf) -> tuple[str, str] | None:
    """A member that the profile does not know as it is, and a sentence of why."""
    for each in _unmet(profile, value_of):
        return each.member, each.sentence
    return next(_contradictions(value_of), None)


def _unmet(profile: str | None, value_of: ValueOf) -> Iterator[Demand]:
    if profile is None:
        return
    for demand in (*DEMANDS, *((SIGNED_REQUESTS,) if profile == MESSAGE_SIGNING else ())):
        if value_of(demand.member) not in demand.accepted and not (
            demand is BOUND_TOKENS and value_of("tls_client_certificate_bound_access_tokens")
        ):
            yield demand


def _contradictions(value_of: ValueOf) -> Iterator[tuple[str, str]]:
    """What nobody but the client can say in another way."""
    for grant_type in value_of("grant_types"):
        if grant_type not in GRANT_TYPES:
            yield "grant_types", f"The client's profile does not have {grant_type}."
    for uri in value_of("redirect_uris"):
        if urlsplit(uri).scheme == "http" and value_of("application_type") != "native":
            yield "redirect_uris", f"{uri} must be https: the client's profile has no other."
    if value_of("request_uris"):
        yield "request_uris", "The client's profile has pushed requests alone."
    for position, key in enumerate(_keys(value_of("jwks"))):
        if key.get("alg") == "RS256":
            yield "jwks", f"Key {position + 1} is for RS256. {ASYMMETRIC}"


def _keys(jwks: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    keys: Sequence[Mapping[str, Any]] = (jwks or {}).get("keys", ())
    return keys


def may_sign(profile: str | None, alg: str) -> bool:
    """Whether a client of this profile may sign by it (FAPI 2.0 Security Profile section 5.4.1)."""
    return profile is None or alg in ALGORITHMS
