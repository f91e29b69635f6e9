"""Who comes to the management API: by a bearer token, and by nothing that a browser sends itself.

A token is meant for the product `console` (a tenant's) or `platform` (the operators'), and carries
as scopes the permissions that it may use: what somebody may do is what their roles allow *and* the
token was given.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from flask import request

from idp import access_tokens
from idp.access_tokens import Bearer, Machine
from idp.directory import acting, granting
from idp.directory.acting import (
    EVERYTHING,
    Actor,
    Administration,
    NotFound,
    TenantName,
    administration,
)
from idp.directory.operating import Operation, Operator, operation
from idp.directory.products import CONSOLE, PLATFORM
from idp.errors import BearerRefusal
from idp.grants import claims
from idp.tokens.signed_tokens import BadToken
from idp.web.context import catalog, now, origin, provider
from idp.web.manage import refusals


def at_tenant(slug: str) -> AbstractContextManager[Administration]:
    """For `/tenants/<tenant>/…`. Raises BearerRefusal; NotFound for a token of another tenant."""
    found = _token(CONSOLE)
    actor, tenant = _person(found) if isinstance(found, Bearer) else _machine(found)
    if tenant.slug != slug:
        raise NotFound(f"a token of {tenant.slug} at {slug}")
    return administration(
        provider().database, catalog(), tenant, actor, now(), origin(), read_only=_is_reading()
    )


def at_platform() -> AbstractContextManager[Operation]:
    """For what is the platform's: a client of the platform's own. Raises BearerRefusal."""
    found = _token(PLATFORM)
    if isinstance(found, Bearer) or found.client.tenant_id is not None:
        raise _refused("insufficient_scope", "a person's or a tenant's token", 403)
    actor = Operator(None, found.client.client_id, None, _granted(found))
    return operation(
        provider().database, catalog(), actor, now(), origin(), read_only=_is_reading()
    )


def _is_reading() -> bool:
    return request.method in ("GET", "HEAD")


def _person(found: Bearer) -> tuple[Actor, TenantName]:
    state = found.state
    held = claims.standing(state, found.client, found.product)["permissions"]
    with provider().database.connection() as db:
        whole = acting.rights_of(db, state.standing.membership_id)
        tenant = acting.tenant_name(db, state.standing.tenant_id)
    permissions = frozenset(held).intersection(found.scope)
    rights = granting.by_client(whole, permissions)
    actor = Actor(state.user_id, found.client.client_id, state.auth_time, permissions, rights)
    return actor, tenant


def _machine(found: Machine) -> tuple[Actor, TenantName]:
    """A tenant's own program."""
    if found.client.tenant_id is None:
        raise _refused("insufficient_scope", "a client of no tenant", 403)
    with provider().database.connection() as db:
        tenant = acting.tenant_name(db, found.client.tenant_id)
    permissions = _granted(found)
    rights = granting.by_client(EVERYTHING, permissions)
    return Actor(None, found.client.client_id, None, permissions, rights), tenant


def _granted(found: Machine) -> frozenset[str]:
    return frozenset(found.permissions).intersection(found.scope)


def _token(product_key: str) -> Bearer | Machine:
    """The live token of the request, meant for this product. Raises BearerRefusal."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _refused("", "no bearer token", 401)
    try:
        claimed = access_tokens.read_access_token(provider(), token.strip(), now())
    except BadToken as problem_with_it:
        raise _refused("invalid_token", str(problem_with_it), 401) from problem_with_it
    find: Callable[..., Bearer | Machine | None] = (
        access_tokens.find_by_claims if "grant_id" in claimed else access_tokens.find_machine
    )
    found = find(provider(), claimed, now())
    if found is None or found.product.key != product_key:
        raise _refused("invalid_token", "ended, or meant for something else", 401)
    _note(found)
    return found


def _note(found: Bearer | Machine) -> None:
    if isinstance(found, Bearer):
        state = found.state
        refusals.note(state.user_id, found.client.client_id, state.standing.tenant_id)
    else:
        refusals.note(None, found.client.client_id, found.client.tenant_id)


def _refused(code: str, detail: str, status: int) -> BearerRefusal:
    sentence = "The token does not do for this." if code else "A bearer token is needed."
    return BearerRefusal(code, sentence, detail, status)
