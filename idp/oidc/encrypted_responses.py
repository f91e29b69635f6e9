"""What a client wants encrypted to its own key: ID tokens, userinfo, introspection, answers to a
sign-in (JARM). One place, so that nothing leaves in the clear which was registered to be encrypted.
"""

from __future__ import annotations

from typing import Any

from joserfc.errors import JoseError

from idp.directory.clients import Client
from idp.errors import OAuthRefusal, told
from idp.oidc.client_keys import key_set
from idp.oidc.jwks_uri import ClientKeys, Jwks, NoKeys
from idp.tokens.encrypted_tokens import USUAL_CONTENT_ALGORITHM, NoUsableKey, encrypt

RESPONSES = ("id_token", "userinfo", "introspection", "authorization")
ID_TOKEN, USERINFO, INTROSPECTION, AUTHORIZATION = RESPONSES


class NotEncryptable(OAuthRefusal):
    """The client has no such key any more, or none can be had: nothing is sent in the clear."""

    def __init__(self, client_id: str, why: str) -> None:
        super().__init__(
            "invalid_client_metadata",
            told("The client has no key that the answer can be encrypted to."),
            f"{client_id}: {why}",
        )


def algorithms_for(client: Any, response: str) -> tuple[str | None, str | None]:
    """`alg` and `enc`, as registered, of one of RESPONSES."""
    alg = getattr(client, f"{response}_encrypted_response_alg")
    return alg, getattr(client, f"{response}_encrypted_response_enc")


def check_readable(client: Client, keys: ClientKeys, response: str, now: float) -> None:
    """Before anything is spent on an answer that nobody could be given. Keys that were registered
    themselves were tried then. Raises NotEncryptable."""
    if client.jwks_uri is not None:
        encrypted(client, keys, response, "tried", now)


def encrypted(
    client: Client,
    keys: ClientKeys,
    response: str,
    content: str,
    now: float,
    *,
    is_token: bool = True,
) -> str:
    """The content, encrypted if the client registered so. Raises NotEncryptable."""
    alg, enc = algorithms_for(client, response)
    if alg is None:
        return content

    def to_a_key(jwks: Jwks) -> str:
        enc_or_usual = enc or USUAL_CONTENT_ALGORITHM
        return encrypt(content, key_set(jwks), alg, enc_or_usual, is_token=is_token)

    try:
        return keys.used(client, to_a_key, NoUsableKey, now)
    except (NoUsableKey, NoKeys, JoseError) as problem:  # JoseError: there are no keys at all
        raise NotEncryptable(client.client_id, f"{problem}") from problem
