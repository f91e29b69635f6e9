"""What a resource answers to whoever brings no token, or none that will do (RFC 6750 section 3, RFC
9449 section 7.1)."""

from __future__ import annotations

from idp.oidc.dpop import PROOF_ALGORITHMS

HEADER = "WWW-Authenticate"


def challenges(authorization: str, **parameters: str) -> tuple[tuple[str, str], ...]:
    """One header for each type of token; `parameters` stand in the one whose scheme was tried, else
    in the first. Those that are empty are left out."""
    algorithms = {"algs": " ".join(PROOF_ALGORITHMS)}
    if authorization[:5].lower() == "dpop ":
        return (_challenge("DPoP", **parameters, **algorithms), bearer_challenge())
    return (bearer_challenge(**parameters), _challenge("DPoP", **algorithms))


def bearer_challenge(**parameters: str) -> tuple[str, str]:
    """The one of a resource that takes no proofs of possession."""
    return _challenge("Bearer", **parameters)


def _challenge(scheme: str, **parameters: str) -> tuple[str, str]:
    said = {"realm": "latchkey", **parameters}
    written = ", ".join(f'{name}="{value}"' for name, value in said.items() if value)
    return HEADER, f"{scheme} {written}"
