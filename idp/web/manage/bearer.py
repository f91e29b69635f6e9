"""Who comes to the management API: by an access token, and by nothing that a browser sends itself.

A token is meant for the product `console` (a tenant's) or `platform` (the operators'), and carries
as scopes the permissions that it may use: what somebody may do is what their roles allow *and* the
token was given. An operator's token is good at a tenant's addresses while a visit lasts that was
begun by the same client, and never otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple

from flask import Response, request

from idp import access_tokens, possession
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
from idp.directory.memberships import Standing
from idp.directory.operating import Operation, Operator, operation
from idp.directory.products import CONSOLE, PLATFORM
from idp.errors import BearerRefusal
from idp.grants import claims
from idp.operators import visits
from idp.tokens.signed_tokens import BadToken
from idp.web.context import catalog, now, origin, provider
from idp.web.manage import refusals


def at_tenant(slug: str, *, is_reading: bool) -> AbstractContextManager[Administration]:
    """For `/tenants/<tenant>/…`. Raises BearerRefusal; NotFound for a token of another tenant, and
    for an operator's who does not visit it."""
    found = _token(CONSOLE, PLATFORM)
    if found.product.key == PLATFORM:
        actor, tenant = _visitor(found, slug)
    else:
        actor, tenant = _person(found) if isinstance(found, Bearer) else _machine(found)
    if tenant.slug != slug:
        raise NotFound(f"a token of {tenant.slug} at {slug}")
    return administration(
        provider().database, catalog(), tenant, actor, now(), origin(), read_only=is_reading
    )


def at_platform(*, is_reading: bool) -> AbstractContextManager[Operation]:
    """For what is the platform's: an operator, or a program of the platform's own. Raises
    BearerRefusal."""
    found = _token(PLATFORM)
    if found.client.tenant_id is not None:
        raise _refused("insufficient_scope", "a tenant's token", 403)
    actor = _operator(found) if isinstance(found, Bearer) else _program(found)
    return operation(provider().database, catalog(), actor, now(), origin(), read_only=is_reading)


def give_nonce(answer: Response) -> Response:
    """For the next proof of whoever sends one (RFC 9449 section 9)."""
    if "DPoP" in request.headers:
        answer.headers.add(*possession.dpop_nonce(provider()))
    return answer


def _operator(found: Bearer) -> Operator:
    state = found.state
    return Operator(state.user_id, found.client.client_id, state.shown_at, _held(found))


def _program(found: Machine) -> Operator:
    return Operator(None, found.client.client_id, None, _granted(found))


def _visitor(found: Bearer | Machine, slug: str) -> tuple[Actor, TenantName]:
    """Whoever may begin a visit by the token may act in it. Raises BearerRefusal for a machine,
    which has none."""
    if isinstance(found, Machine):
        raise _refused("invalid_token", "meant for the platform", 401)
    if "tenants.manage" not in _held(found):
        raise _refused("insufficient_scope", "a visit needs tenants.manage", 403)
    state, client_id = found.state, found.client.client_id
    with provider().database.connection() as db:
        visit = visits.find_live(db, slug, state.user_id, now(), client_id)
    if visit is None:
        raise NotFound(f"no visit to {slug} by this client")
    console = catalog().products[CONSOLE]
    actor = visits.visitor(visit, state.user_id, state.shown_at, console, client_id)
    return replace(actor, second_factor_at=found.state.second_factor_at), visit.tenant


def _person(found: Bearer) -> tuple[Actor, TenantName]:
    state, standing = found.state, found.state.standing
    assert isinstance(standing, Standing)  # `find` gives no other to a client of the console
    with provider().database.connection() as db:
        whole = acting.rights_of(db, standing.membership_id)
        tenant = acting.tenant_name(db, standing.tenant_id)
    permissions = _held(found)
    rights = granting.by_client(whole, permissions)
    actor = Actor(
        state.user_id,
        found.client.client_id,
        state.shown_at,
        permissions,
        rights,
        second_factor_at=found.state.second_factor_at,
    )
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


def _held(found: Bearer) -> frozenset[str]:
    """What the person may do now, of what the token was given."""
    held = claims.standing(found.state, found.client, found.product)["permissions"]
    return frozenset(held).intersection(found.scope)


def _granted(found: Machine) -> frozenset[str]:
    return frozenset(found.permissions).intersection(found.scope)


class _Sender(NamedTuple):
    """Of Flask's request, as `possession.Sender` has it."""

    method: str
    path: str

    def header(self, name: str) -> str:
        return request.headers.get(name, "")


def _token(*product_keys: str) -> Bearer | Machine:
    """The live token of the request, meant for one of these products. Raises BearerRefusal."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "dpop") or not token:
        raise _refused("", "no bearer token", 401)
    try:
        claimed = access_tokens.read_access_token(provider(), token.strip(), now())
    except BadToken as problem_with_it:
        raise _refused("invalid_token", str(problem_with_it), 401) from problem_with_it
    find: Callable[..., Bearer | Machine | None] = (
        access_tokens.find_by_claims if "grant_id" in claimed else access_tokens.find_machine
    )
    found = find(provider(), claimed, now())
    if found is None or found.product.key not in product_keys:
        raise _refused("invalid_token", "ended, or meant for something else", 401)
    sender = _Sender(request.method, request.path)
    possession.check_brought(provider(), sender, token.strip(), found.claims, scheme.lower())
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
