"""What a client wants encrypted to its own key: ID tokens, userinfo, introspection, answers
to a sign-in (JARM). One place, so
that nothing leaves in the clear which was registered to be encrypted."""

from __future__ import annotations

from typing import Any

from joserfc.errors import JoseError

from idp.directory.clients import Client
from idp.errors import OAuthRefusal, told
from idp.oidc.client_keys import public_keys
from idp.tokens.encrypted_tokens import USUAL_CONTENT_ALGORITHM, NoUsableKey, encrypt

RESPONSES = ("id_token", "userinfo", "introspection", "authorization")
ID_TOKEN, USERINFO, INTROSPECTION, AUTHORIZATION = RESPONSES


class NotEncryptable(OAuthRefusal):
    """The client's keys have changed since it registered: nothing is sent in the clear."""

    def __init__(self, client_id: str, why: str) -> None:
        super().__init__(
            "server_error",
            told("The client has no key that the answer can be encrypted to."),
            f"{client_id}: {why}",
            status=500,
        )


def algorithms_for(client: Any, response: str) -> tuple[str | None, str | None]:
    """`alg` and `enc`, as registered, of one of RESPONSES."""
    alg = getattr(client, f"{response}_encrypted_response_alg")
    return alg, getattr(client, f"{response}_encrypted_response_enc")


def encrypted(client: Client, response: str, content: str, *, is_token: bool = True) -> str:
    """The content, encrypted if the client registered so. Raises NotEncryptable."""
    alg, enc = algorithms_for(client, response)
    if alg is None:
        return content
    try:
        keys = public_keys(client)
        return encrypt(content, keys, alg, enc or USUAL_CONTENT_ALGORITHM, is_token=is_token)
    except (NoUsableKey, JoseError) as problem:  # JoseError: there are no keys at all
        raise NotEncryptable(client.client_id, f"{problem}") from problem
