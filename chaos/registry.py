"""The names of the town: its companies, people and clients, as the harness and the load know them.

A virtual user is one person, with a colleague whom they disable and enable again.
"""

from __future__ import annotations

TENANTS = ("amber", "birch", "cedar", "daisy")
PASSWORD = "harbour lantern quartz 7 meadow"
REDIRECT_URI = "http://localhost:9/callback"
SCOPE = "openid profile email offline_access"
WEB, SPA, STRICT = "web", "spa", "strict"
MACHINE, SIGNING = "machine", "signing"


def email(number: int) -> str:
    return f"person{number}@chaos.example"


def colleague(number: int) -> str:
    return f"colleague{number}@chaos.example"


def tenant_of(number: int) -> str:
    return TENANTS[number % len(TENANTS)]


def canary(tenant: str) -> str:
    """In every name of the company, and in none of another's."""
    return f"canary-{tenant}"


def personnel(tenant: str) -> str:
    """The client by which a company's own system calls the management API."""
    return f"{tenant}-personnel"


def secret_of(client_id: str) -> str:
    return f"the-secret-of-a-client-that-lives-for-a-few-minutes-{client_id}"
