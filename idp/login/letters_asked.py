"""How often people who are not known yet have letters sent: the same for whoever is asked for, and
before anybody looks who that is (security.md S44, S52)."""

from __future__ import annotations

from idp import limits
from idp.audit import Origin
from idp.credentials.networks import network_of
from idp.database import Connection
from idp.secret_values import SecretKeys

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
OF_AN_ADDRESS = ((1, MINUTE), (5, HOUR), (10, DAY))
OF_A_NETWORK = (100, HOUR)


def take(
    db: Connection, keys: SecretKeys, kind: str, email: str, now: float, origin: Origin
) -> bool:
    """Room for one more letter of this kind, to a canonical address. In a transaction."""
    address, network = keys.blind(email), keys.blind(network_of(origin.address))
    rations = [(f"{kind}:{window:.0f}:{address}", most, window) for most, window in OF_AN_ADDRESS]
    return limits.take_each(db, now, [*rations, (f"{kind}:{network}", *OF_A_NETWORK)]) is None
