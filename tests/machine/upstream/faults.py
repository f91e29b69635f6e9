"""What may be wrong with somebody else's provider, by name.

A fault's value begins with the part that has it. Every fault of `id_token`, `token`, `discovery`
and `jwks` must keep the person out, and so must those of `authorization`; those of `account` and
`userinfo` are for the rules about what is spoiled there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

Claims = dict[str, Any]
Changes = dict["Fault", Callable[[Claims], Claims]]

ELSEWHERE = "https://elsewhere.example"
INSIDE = "http://169.254.169.254/latest/meta-data"
STRANGER = "a-client-of-somebody-else"
DAY = 86_400


class Fault(StrEnum):
    ID_TOKEN_MISSING = "id_token: missing"
    NONCE_WRONG = "id_token: nonce wrong"
    NONCE_MISSING = "id_token: nonce missing"
    AUD_WRONG = "id_token: aud wrong"
    AUD_MISSING = "id_token: aud missing"
    AZP_FOREIGN = "id_token: two in aud, azp the other one"
    AZP_MISSING = "id_token: two in aud, azp missing"
    ISS_WRONG = "id_token: iss wrong"
    ISS_MISSING = "id_token: iss missing"
    EXPIRED = "id_token: expired"
    EXP_MISSING = "id_token: exp missing"
    IAT_IN_THE_FUTURE = "id_token: iat in the future"
    SUB_MISSING = "id_token: sub missing"
    SUB_TOO_LONG = "id_token: sub of 256 characters"
    AT_HASH_WRONG = "id_token: at_hash wrong"
    ALG_NONE = "id_token: not signed"
    HS256_BY_SECRET = "id_token: HS256 by the client secret"
    HS256_BY_PUBLIC_KEY = "id_token: HS256 by the public key"
    KEY_UNKNOWN = "id_token: signed by a key that is not published, as if by one that is"
    KID_UNKNOWN = "id_token: kid of no key"
    KID_MISSING = "id_token: kid missing, two keys published"

    SUB_CHANGED = "account: sub changed"
    EMAIL_UNVERIFIED = "account: email_verified false"
    EMAIL_VERIFIED_MISSING = "account: email_verified missing"
    EMAIL_VERIFIED_A_STRING = "account: email_verified a string"
    EMAIL_MISSING = "account: email missing"

    USERINFO_ANOTHER_SUB = "userinfo: another sub"
    USERINFO_ANOTHER_EMAIL = "userinfo: another email"

    ACCESS_DENIED = "authorization: access_denied"
    STATE_WRONG = "authorization: state wrong"
    STATE_MISSING = "authorization: state missing"
    RESPONSE_ISS_MISSING = "authorization: iss missing"
    RESPONSE_ISS_WRONG = "authorization: iss wrong"
    CODE_SWAPPED = "authorization: the code of another request"
    CODE_SWAPPED_UNBOUND = "authorization: the code of another request, with this one's PKCE"

    DISCOVERY_ISSUER_DIFFERS = "discovery: issuer differs"
    DISCOVERY_ENDPOINTS_ELSEWHERE = "discovery: endpoints elsewhere"
    DISCOVERY_ENDPOINTS_WITHOUT_TLS = "discovery: endpoints without TLS"
    DISCOVERY_ENDPOINTS_INSIDE = "discovery: endpoints inside"
    JWKS_EMPTY = "jwks: empty"
    JWKS_TEN_THOUSAND_KEYS = "jwks: 10,000 keys"

    DISCOVERY_FAILS = "discovery: 500"
    DISCOVERY_REFUSES = "discovery: 400"
    DISCOVERY_HTML = "discovery: HTML"
    DISCOVERY_REDIRECTS = "discovery: redirect inside"
    DISCOVERY_GARBAGE = "discovery: garbage"
    DISCOVERY_ARRAY = "discovery: array"
    DISCOVERY_HUGE = "discovery: 1 GiB"
    DISCOVERY_DRIPS = "discovery: drip"
    DISCOVERY_HANGS = "discovery: hang"
    DISCOVERY_CLOSES = "discovery: close"

    JWKS_FAILS = "jwks: 500"
    JWKS_REFUSES = "jwks: 400"
    JWKS_HTML = "jwks: HTML"
    JWKS_REDIRECTS = "jwks: redirect inside"
    JWKS_GARBAGE = "jwks: garbage"
    JWKS_ARRAY = "jwks: array"
    JWKS_HUGE = "jwks: 1 GiB"
    JWKS_DRIPS = "jwks: drip"
    JWKS_HANGS = "jwks: hang"
    JWKS_CLOSES = "jwks: close"

    TOKEN_FAILS = "token: 500"
    TOKEN_REFUSES = "token: 400"
    TOKEN_HTML = "token: HTML"
    TOKEN_REDIRECTS = "token: redirect inside"
    TOKEN_GARBAGE = "token: garbage"
    TOKEN_ARRAY = "token: array"
    TOKEN_HUGE = "token: 1 GiB"
    TOKEN_DRIPS = "token: drip"
    TOKEN_HANGS = "token: hang"
    TOKEN_CLOSES = "token: close"

    USERINFO_FAILS = "userinfo: 500"
    USERINFO_REFUSES = "userinfo: 400"
    USERINFO_HTML = "userinfo: HTML"
    USERINFO_REDIRECTS = "userinfo: redirect inside"
    USERINFO_GARBAGE = "userinfo: garbage"
    USERINFO_ARRAY = "userinfo: array"
    USERINFO_HUGE = "userinfo: 1 GiB"
    USERINFO_DRIPS = "userinfo: drip"
    USERINFO_HANGS = "userinfo: hang"
    USERINFO_CLOSES = "userinfo: close"

    @property
    def part(self) -> str:
        return self.partition(": ")[0]

    @property
    def trouble(self) -> str:
        return self.partition(": ")[2]


def faults_of(*parts: str) -> list[Fault]:
    """For a parametrized test."""
    return [fault for fault in Fault if fault.part in parts]


def spoiled(claims: Claims, changes: Changes, fault: Fault | None) -> Claims:
    """With what the fault makes of them; a claim of None is left out."""
    change = changes.get(fault) if fault else None
    everything = {**claims, **(change(claims) if change else {})}
    return {name: value for name, value in everything.items() if value is not None}


def _moved(claims: Claims, seconds: int) -> Claims:
    return {name: claims[name] + seconds for name in ("iat", "exp")}


SPOILED_CLAIMS: Changes = {
    Fault.NONCE_WRONG: lambda _: {"nonce": "of-another-request"},
    Fault.NONCE_MISSING: lambda _: {"nonce": None},
    Fault.AUD_WRONG: lambda _: {"aud": STRANGER, "azp": STRANGER},
    Fault.AUD_MISSING: lambda _: {"aud": None},
    Fault.AZP_FOREIGN: lambda claims: {"aud": [claims["aud"], STRANGER], "azp": STRANGER},
    Fault.AZP_MISSING: lambda claims: {"aud": [claims["aud"], STRANGER], "azp": None},
    Fault.ISS_WRONG: lambda _: {"iss": ELSEWHERE},
    Fault.ISS_MISSING: lambda _: {"iss": None},
    Fault.EXPIRED: lambda claims: _moved(claims, -DAY),
    Fault.EXP_MISSING: lambda _: {"exp": None},
    Fault.IAT_IN_THE_FUTURE: lambda claims: {
        "iat": claims["iat"] + DAY,
        "exp": claims["exp"] + DAY,
    },
    Fault.AT_HASH_WRONG: lambda _: {"at_hash": "A" * 22},
}
SPOILED_PERSON: Changes = {  # what the ID token and userinfo say alike
    Fault.SUB_MISSING: lambda _: {"sub": None},
    Fault.SUB_TOO_LONG: lambda _: {"sub": "s" * 256},
    Fault.SUB_CHANGED: lambda claims: {"sub": f"{claims['sub']}-changed"},
    Fault.EMAIL_UNVERIFIED: lambda _: {"email_verified": False},
    Fault.EMAIL_VERIFIED_MISSING: lambda _: {"email_verified": None},
    Fault.EMAIL_VERIFIED_A_STRING: lambda _: {"email_verified": "true"},
    Fault.EMAIL_MISSING: lambda _: {"email": None, "email_verified": None},
}
SPOILED_USERINFO: Changes = {
    Fault.USERINFO_ANOTHER_SUB: lambda _: {"sub": "6666"},
    Fault.USERINFO_ANOTHER_EMAIL: lambda _: {"email": "mallory@elsewhere.example"},
}
SPOILED_RESPONSE: Changes = {
    Fault.ACCESS_DENIED: lambda _: {"code": None, "error": "access_denied"},
    Fault.STATE_WRONG: lambda _: {"state": "of-another-browser"},
    Fault.STATE_MISSING: lambda _: {"state": None},
    Fault.RESPONSE_ISS_MISSING: lambda _: {"iss": None},
    Fault.RESPONSE_ISS_WRONG: lambda _: {"iss": ELSEWHERE},
}
ENDPOINTS_AT = {
    Fault.DISCOVERY_ENDPOINTS_ELSEWHERE: ELSEWHERE,
    Fault.DISCOVERY_ENDPOINTS_WITHOUT_TLS: "http://elsewhere.example",
    Fault.DISCOVERY_ENDPOINTS_INSIDE: INSIDE,
}
