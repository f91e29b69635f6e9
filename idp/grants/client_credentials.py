"""grant_type=client_credentials (RFC 6749 section 4.4): a machine asks for itself."""

from __future__ import annotations

from idp.directory.clients import Client
from idp.errors import OAuthRefusal

NOT_FOR_MACHINES = frozenset({"openid", "profile", "email", "offline_access"})


def granted_scope(client: Client, claimed: tuple[str, ...]) -> tuple[str, ...]:
    """What is asked for, or all that the client is registered for; scopes about a person never."""
    allowed = tuple(word for word in client.scope.split() if word not in NOT_FOR_MACHINES)
    if not set(claimed) <= set(allowed):
        raise OAuthRefusal("invalid_scope", "The client may not ask for that scope.")
    return claimed or allowed
