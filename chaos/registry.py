"""The names of the town: its companies, people and clients, as the harness and the load know them.

A virtual user is one person, with others of the same company whom nobody else touches: a colleague
whom they disable and enable again, a victim whose password they guess, and one who is careful and
has an authenticator app.
"""

from __future__ import annotations

import base64
from hashlib import sha256

TENANTS = ("amber", "birch", "cedar", "daisy")
NOISY, NOISY_PEOPLE = "ember", 20  # a company that has no virtual users
PASSWORD = "harbour lantern quartz 7 meadow"
REDIRECT_URI = "http://localhost:9/callback"
SCOPE = "openid profile email offline_access"
WEB, SPA, STRICT = "web", "spa", "strict"
VAULT = "vault"  # demands a second factor
CLUB = "club"  # is for those who come by another provider
MACHINE, SIGNING = "machine", "signing"
CLERK, GUEST = "clerk", "guest"  # roles: everybody has the first, and both open the desk
KEEPER = "keeper"  # makes and revokes signing keys, by the management API


PERSON, COLLEAGUE, VICTIM, CAREFUL = ROLES = ("person", "colleague", "victim", "careful")


def email(number: int, role: str = PERSON) -> str:
    return f"{role}{number}@chaos.example"


def noisy_email(number: int) -> str:
    return f"noisy{number}@{NOISY}.example"


def app_of(number: int) -> str:
    """The secret of the authenticator app of who is careful."""
    return base64.b32encode(sha256(f"app {number}".encode()).digest()[:20]).decode()


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
