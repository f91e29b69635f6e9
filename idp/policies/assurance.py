"""Authentication context classes: what a sign-in amounted to, in `acr` and `amr`."""

from __future__ import annotations

ONE_FACTOR = "aal1"
SUPPORTED = (ONE_FACTOR,)
PASSWORD_AMR = "pwd"


def achieved(amr: frozenset[str]) -> str:
    """The class that the methods used (`amr`, RFC 8176) add up to."""
    del amr  # one class until second factors exist
    return ONE_FACTOR


def satisfies(acr: str, wanted: tuple[str, ...]) -> bool:
    """Whether `acr` is one of the classes that a request insists on; none means any."""
    return not wanted or acr in wanted
