"""Token revocation (RFC 7009)."""

from __future__ import annotations

from idp import audit
from idp.access_tokens import read_access_token
from idp.directory.clients import Client
from idp.endpoints.clients import authenticated_client, form
from idp.endpoints.messages import NO_STORE, Request, Response
from idp.errors import OAuthRefusal
from idp.grants import refresh_token, revoked_tokens
from idp.provider import Provider
from idp.secret_values import fingerprint
from idp.tokens.signed_tokens import BadToken
from idp.tokens.subjects import person_of


def revoke(provider: Provider, request: Request) -> Response:
    """200 once it is dead in the database, and for a token that is unknown or another client's,
    which are left alone (section 2.2). A store that is away gives 503, never 200."""
    sent = form(request)
    client = authenticated_client(provider, request, sent)
    token = sent.get("token")
    if token is None:
        raise OAuthRefusal("invalid_request", "token is missing.")
    if not _revoke_refresh(provider, request, client, token):
        _revoke_access(provider, request, client, token)
    return Response(200, NO_STORE)


def _revoke_refresh(provider: Provider, request: Request, client: Client, token: str) -> bool:
    """A refresh token ends its whole grant, with every access token of it (section 2.1)."""
    claimed = refresh_token.read_token(provider.secret_keys, token)
    if claimed is None:
        return False
    now = provider.clock()
    with provider.database.transaction() as db:
        ended = refresh_token.end_family(db, fingerprint(claimed.handle), client.client_id, now)
        if ended:
            person, tenant = ended
            audit.record(
                db,
                "token.revoked",
                now,
                request.origin,
                actor=person,
                tenant=tenant,
                client=client.client_id,
                kind="refresh_token",
            )
    return True


def _revoke_access(provider: Provider, request: Request, client: Client, token: str) -> None:
    now = provider.clock()
    try:
        claimed = read_access_token(provider, token, now)
    except BadToken:
        return
    if claimed["client_id"] != client.client_id:
        return
    person = person_of(provider.secret_keys, client, claimed["sub"])
    with provider.database.transaction() as db:
        revoked_tokens.revoke(db, claimed["jti"], float(claimed["exp"]))
        audit.record(
            db,
            "token.revoked",
            now,
            request.origin,
            actor=person if "grant_id" in claimed else None,
            tenant=claimed.get("tenant_id"),
            client=client.client_id,
            kind="access_token",
        )
