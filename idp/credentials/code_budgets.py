"""How many codes are sent: for an account, to a number or address, for a company, from a network.

Exact, durable, and nothing of it starts anew by another attempt, session or kind of code (S52 of
security.md). What is refused here was not sent and took nothing.
"""

from __future__ import annotations

from idp import limits
from idp.credentials.networks import network_of
from idp.database import Connection
from idp.secret_values import SecretKeys
from idp.settings import Settings

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
OF_AN_ACCOUNT = ((5, HOUR), (10, DAY))
OF_A_DESTINATION = ((1, MINUTE), (5, HOUR), (10, DAY))
LACKING = ("of the account", "of the destination", "of the company", "of the network")


def take(
    db: Connection,
    keys: SecretKeys,
    settings: Settings,
    *,
    user_id: str,
    channel: str,
    destination: str,
    tenant_id: str,
    address: str,
    now: float,
) -> str:
    """Room for one more code; which budget lacks it, empty if none does. By one channel an account
    gets one a minute, to whichever number. In a transaction."""
    blind = keys.blind(f"code to {destination}")
    account = [(f"codes of:{channel}:{user_id}", 1, MINUTE)]
    account += [(f"codes of:{span:.0f}:{user_id}", most, span) for most, span in OF_AN_ACCOUNT]
    there = [(f"codes to:{span:.0f}:{blind}", most, span) for most, span in OF_A_DESTINATION]
    company = [(f"codes for:{tenant_id}", settings.code_tenant_budget, DAY)]
    network = [(f"codes from:{network_of(address)}", settings.code_network_budget, HOUR)]
    groups = (account, there, company, network)
    place = limits.take_each(db, now, [ration for group in groups for ration in group])
    if place is None:
        return ""
    names = [name for name, group in zip(LACKING, groups, strict=True) for _ in group]
    return names[place]
