"""The grant: one row for the whole life of an authorization.

It exists before its code, every token carries its id, and one function (`check_alive`) says whether
it still counts. Code exchange, refresh, introspection and userinfo all ask that function, with
everything it needs read in one statement.
"""

from __future__ import annotations

import sqlalchemy as sa

from idp import audit
from idp.audit import Origin
from idp.database import Connection, Database
from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.directory.upstream_providers import IdentityProviders
from idp.errors import OAuthRefusal
from idp.grants.grant_row import Grant
from idp.grants.grant_state import GrantState
from idp.policies.sessions import lifetimes
from idp.settings import Settings


class Replayed(Exception):
    """Something of this grant that can be spent once was spent before."""

    def __init__(self, state: GrantState) -> None:
        super().__init__(state.id)
        self.state = state


_END = (
    sa.update(Grant)
    .where(Grant.id == sa.bindparam("grant_id"), Grant.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
)


def check_alive(
    state: GrantState,
    client: Client,
    product: ProductView,
    providers: IdentityProviders,
    settings: Settings,
    now: float,
) -> None:
    """Raises invalid_grant unless everything it rests on is still so: the grant, the person, the
    membership, the tenant, a role that opens the product, what other providers have said, the only
    way into the company, and the session unless offline; for the platform, that the person is an
    operator still, and not again."""
    reason = why_dead(state, client, product, providers, settings, now)
    if reason:
        raise OAuthRefusal("invalid_grant", "The grant is no longer valid.", reason)


def why_dead(
    state: GrantState,
    client: Client,
    product: ProductView,
    providers: IdentityProviders,
    settings: Settings,
    now: float,
) -> str:
    """Why the grant counts no longer, or nothing while it does; `providers` are the active."""
    if state.ended_at is not None or state.expires_at <= now:
        return "the grant has ended"
    if state.auth_time < state.sessions_valid_after:
        return "the person's sign-ins were ended"
    if state.was_signed_out:
        return "the company was suspended since"
    if reason := _why_not_vouched_for(state, providers) or _why_signed_out(state, settings, now):
        return reason
    if client.tenant_id not in (None, state.standing.tenant_id):
        return "the client is another tenant's"
    if state.consented is None and (state.has_details or not client.first_party):
        return "what the person allowed is withdrawn, or was never asked"
    if not state.scope:
        return "the client has no scope of it any more"
    if state.is_token_revoked:
        return "the token was revoked"
    if not state.standing.opens(product):
        return "the membership, or being an operator, does not open the product"
    return ""


def _why_not_vouched_for(state: GrantState, providers: IdentityProviders) -> str:
    """As at a sign-in now (`login.counting`): what is trusted no more is none, and where the
    company has an only way, its people have come by it. Nothing is read for it."""
    if state.provider_key is not None and providers.vouching(state.provider_key) is None:
        return "the provider that it came by vouches for nobody any more"
    by, words = state.second_factor_by, state.second_factor_words
    if by is not None and not providers.still_trusts(by, words or ""):
        return "the second factor of another provider that it rests on is trusted no more"
    company = "" if state.standing.access_request_id else state.standing.tenant_id or ""
    only = providers.only_way(company, state.user_id, state.email)
    if only and only.key != state.vouched_by:
        return "it did not come by the only way into the company"
    return ""


def _why_signed_out(state: GrantState, settings: Settings, now: float) -> str:
    if state.standing.tenant_id in state.left_tenants.split():
        return "the tenant has signed the session out"
    if state.is_offline:
        return ""
    if state.session_ended_at is not None or state.session_expires_at <= now:
        return "the session has ended"
    if _is_older_than_its_tenant_allows(state, settings, now):
        return "older than the tenant's sessions"
    return ""


def _is_older_than_its_tenant_allows(state: GrantState, settings: Settings, now: float) -> bool:
    """A tenant may allow shorter sessions than the platform; offline access is no session."""
    return now - state.auth_time > lifetimes(settings, state.standing.tenant_policy).absolute


def end(db: Connection, grant_id: str, now: float) -> bool:
    """Everything that it gave is dead, and nothing can wake it; False if it was dead already."""
    return db.run(_END, grant_id=grant_id, now=now) == 1


def end_replayed(
    database: Database, tag: str, state: GrantState, now: float, origin: Origin
) -> None:
    """A replay ends the grant and all that it gave, and the audit tells of it."""
    with database.transaction() as db:
        if not end(db, state.id, now):
            return
        audit.record(
            db,
            tag,
            now,
            origin,
            actor=state.user_id,
            tenant=state.standing.tenant_id,
            client=state.client_id,
            grant=state.id,
        )
