"""Assurance: by which methods somebody has proven who they are, and what that amounts to.

`acr` and `amr` (OpenID Connect Core section 2, RFC 8176) come from here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

PASSWORD = "password"
PASSKEY = "passkey"
SECURITY_KEY = "security_key"
TOTP = "totp"
SMS = "sms"
EMAIL = "email"
RECOVERY = "recovery"
FEDERATED = "federated"  # an account at another provider
UPSTREAM_SECOND = "upstream_second"  # the second factor that was proven there

LAPSED_PASSKEY = "lapsed_passkey"  # a passkey, once its second factor has lapsed

FIRST = frozenset({PASSWORD, PASSKEY, LAPSED_PASSKEY, FEDERATED})
OWN_FIRST = FIRST - {FEDERATED}
SECOND = frozenset({PASSKEY, SECURITY_KEY, TOTP, SMS, EMAIL, RECOVERY, UPSTREAM_SECOND})

ONE_FACTOR = "aal1"
TWO_FACTORS = "aal2"
PHISHING_RESISTANT = "phr"
SUPPORTED = (ONE_FACTOR, TWO_FACTORS, PHISHING_RESISTANT)  # from the weakest

RAISE = {
    ONE_FACTOR: frozenset(FIRST),
    TWO_FACTORS: frozenset({PASSKEY, SECURITY_KEY, TOTP, RECOVERY, UPSTREAM_SECOND}),
    PHISHING_RESISTANT: frozenset({PASSKEY, SECURITY_KEY}),
}

_AMR: Mapping[str, tuple[str, ...]] = {
    PASSWORD: ("pwd",),
    PASSKEY: ("mfa", "pop", "user"),
    LAPSED_PASSKEY: ("pop",),
    SECURITY_KEY: ("pop",),
    TOTP: ("otp",),
    SMS: ("sms",),
    EMAIL: ("otp",),
    RECOVERY: ("otp",),
    FEDERATED: ("fed",),
    UPSTREAM_SECOND: (),
}


class Proof(NamedTuple):
    """When a method was proven, and when the authenticator that did it was enrolled. One of another
    provider's is `by` it (its key), and was made there at `active_at`, 0 where it does not say:
    somebody may have been signed in there for weeks. A second factor there has the `words` for
    it, separated by spaces (`upstream_providers`)."""

    at: float
    enrolled_at: float = 0.0
    by: str = ""
    active_at: float = 0.0
    words: str = ""

    @property
    def kept(self) -> list[float | str]:
        """As JSON has it."""
        return list(self if self.by else self[:2])

    @property
    def shown_at(self) -> float:
        """When the person themselves was there."""
        return self.active_at if self.by else self.at


Proofs = Mapping[str, Proof]
NEVER = Proof(0.0)


def to_text(proofs: Proofs) -> str:
    return orjson.dumps({method: proof.kept for method, proof in proofs.items()}).decode()


def from_text(text: str) -> dict[str, Proof]:
    return {method: Proof(*proof) for method, proof in orjson.loads(text).items()}


def auth_time(proofs: Proofs) -> float:
    """The last proof of a first factor: a second one adds to it, and makes it no younger."""
    return max((proof.at for method, proof in proofs.items() if method in FIRST), default=0.0)


def last_first(proofs: Proofs) -> str:
    """The first factor that was proven last, of proofs that have one."""
    return max(FIRST.intersection(proofs), key=lambda method: proofs[method].at)


def shown_at(proofs: Proofs) -> float:
    """When the person was last seen to prove a first factor: for what takes a recent sign-in."""
    return max((proof.shown_at for m, proof in proofs.items() if m in FIRST), default=0.0)


def lasting(proofs: Proofs, since: float) -> Proofs:
    """A raised level lapses: of what was proven before, the first factor is left."""
    if all(proof.at >= since for proof in proofs.values()):
        return proofs
    left = {m: proof for m, proof in proofs.items() if proof.at >= since or m in FIRST}
    if PASSKEY in left and left[PASSKEY].at < since:
        left[LAPSED_PASSKEY] = left.pop(PASSKEY)
    return left


def achieved(methods: Iterable[str]) -> str:
    """The class that the methods add up to. A code by SMS or e-mail satisfies a policy that allows
    it, and raises nothing: the network and the mailbox are somebody else's (NIST SP 800-63B-4
    section 3.1.3)."""
    proven = frozenset(methods)
    if not proven & FIRST:
        return ""
    for acr in (PHISHING_RESISTANT, TWO_FACTORS):
        if proven & RAISE[acr]:
            return acr
    return ONE_FACTOR


def amr(methods: Iterable[str]) -> list[str]:
    """RFC 8176, of methods with a first factor, and `fed` for what another provider has found out,
    which has no word there: `pop` for any key, since without attestation nobody
    knows where it is kept; `mfa` for two factors."""
    proven = frozenset(methods)
    words = {word for method in proven for word in _AMR[method]}
    if proven & SECOND:
        words.add("mfa")
    return sorted(words)


def rests_on(proofs: Proofs) -> str | None:
    """The other provider that alone has proven a first factor; None with one of our own."""
    return proofs[FEDERATED].by if FIRST.intersection(proofs) == {FEDERATED} else None


def second_elsewhere(proofs: Proofs) -> Proof | None:
    """The second factor of another provider's, where no other one raises."""
    is_alone = RAISE[TWO_FACTORS].intersection(proofs) == {UPSTREAM_SECOND}
    return proofs[UPSTREAM_SECOND] if is_alone else None


def second_factor_at(proofs: Proofs) -> float | None:
    """When the person was last seen to prove a second factor that raises; 0 if nobody says."""
    raising = (proofs[each].shown_at for each in RAISE[TWO_FACTORS] if each in proofs)
    return max(raising, default=None)


def reported(methods: Iterable[str], wanted: Iterable[str]) -> str:
    """The `acr` to tell a client: the highest of those that it asked for and that is reached, so
    that it finds its own word; else what is reached (OpenID Connect Core section 5.5.1.1)."""
    acr = achieved(methods)
    reached = [each for each in SUPPORTED if each in wanted and rank(each) <= rank(acr)]
    return reached[-1] if reached else acr


def rank(acr: str) -> int:
    """-1 for a class that we do not know, or none."""
    return SUPPORTED.index(acr) if acr in SUPPORTED else -1


def least(wanted: Iterable[str]) -> str | None:
    """The weakest of the classes that would do, or None where we know none of them."""
    named = frozenset(wanted)
    return next((each for each in SUPPORTED if each in named), None) if named else None
