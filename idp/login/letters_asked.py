"""How often people who are not known yet have letters sent: the same for whoever is asked for, and
before anybody looks who that is (security.md S44, S52)."""

from __future__ import annotations

from idp import limits
from idp.audit import Origin
from idp.credentials.networks import network_of, site_of
from idp.database import Connection
from idp.directory import letters
from idp.secret_values import SecretKeys

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
OF_AN_ADDRESS = ((1, MINUTE), *letters.TO_AN_ADDRESS)
OF_A_NETWORK = (100, HOUR)
OF_A_SITE = (500, DAY)  # all networks of one customer, where they are many


def take(
    db: Connection, keys: SecretKeys, kind: str, email: str, now: float, origin: Origin
) -> bool:
    """Room for one more letter of this kind, to a canonical address. In a transaction."""
    address, network, site = keys.blind(email), network_of(origin.address), site_of(origin.address)
    rations = [(f"{kind}:{window:.0f}:{address}", most, window) for most, window in OF_AN_ADDRESS]
    rations.append((f"{kind}:{keys.blind(network)}", *OF_A_NETWORK))
    if site != network:
        rations.append((f"{kind}:{keys.blind(site)}", *OF_A_SITE))
    return limits.take_each(db, now, rations) is None
