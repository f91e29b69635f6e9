"""What we must reach, as ratios to a peer on the same core in the same run."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """How many times the peer's rate: beside it in memory, and beside it on Redis."""

    sqlite: float
    postgres: float


TARGETS = {
    "discovery": Target(3.5, 3.5),
    "jwks": Target(2.0, 2.0),
    "machine-rs256": Target(1.2, 1.6),
    "machine-es256": Target(1.8, 2.4),
    "refresh": Target(1.35, 1.2),
    "code": Target(1.3, 1.2),
    "sso-rs256": Target(1.65, 1.1),
    "sso-es256": Target(2.0, 1.3),
    "userinfo": Target(2.4, 1.0),
    "introspection": Target(2.2, 1.2),
}
OIDC_PROVIDER = "oidc-provider"
DJANGO_OAUTH_TOOLKIT = "django-oauth-toolkit"
GLEWLWYD = "glewlwyd"
BESIDE_DJANGO = 14.0  # whatever is asked
PASSWORD_SHARE = 0.9
MEMORY_MB = 100.0
START_SECONDS = Target(1.0, 1.5)


def target(kind: str, storage: str, workload: str) -> float | None:
    """Beside a peer of that kind; None where nothing was promised."""
    if kind == DJANGO_OAUTH_TOOLKIT:
        return BESIDE_DJANGO
    found = TARGETS.get(workload) if kind == OIDC_PROVIDER else None
    return getattr(found, storage) if found else None
