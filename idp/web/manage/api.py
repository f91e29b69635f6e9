"""The management API under `/api/v1`: JSON by bearer tokens, on the same rules as the pages.

A token is meant for the product `console` (a tenant's) or `platform` (the operators'), and carries
as scopes the permissions that it may use: what somebody may do is what their roles allow *and* the
token was given. Errors are problem+json (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

import orjson
from flask import Blueprint, Response, request
from flask_babel import gettext as _

from idp import access_tokens
from idp.access_tokens import Bearer, Machine
from idp.directory import acting
from idp.directory.acting import (
    RECENT,
    Actor,
    Administration,
    Mistake,
    NotFound,
    RecentSignInNeeded,
    Rights,
    TenantName,
    administration,
)
from idp.directory.operating import Operation, Operator, operation
from idp.directory.products import CONSOLE, PLATFORM
from idp.directory.roles import TOP_RANK
from idp.errors import BearerRefusal, Refusal
from idp.grants import claims
from idp.tokens.signed_tokens import BadToken
from idp.web.context import catalog, now, origin, provider, request_id

PREFIX = "/api/v1"
PROBLEM = "application/problem+json"

View = Callable[..., Any]


def blueprint_of(noun: str) -> Blueprint:
    """A noun's part of the API; its refusals are problems, not pages."""
    made = Blueprint(f"api_{noun}", __name__, url_prefix=PREFIX)
    made.register_error_handler(Refusal, problem)
    return made


def administers(view: View) -> View:
    """For `/tenants/<tenant>/…`: the view gets an `Administration` instead of the slug."""

    @wraps(view)
    def guarded(tenant: str, **names: Any) -> Any:
        with _at_tenant(tenant) as admin:
            return view(admin, **names)

    return guarded


def operates(view: View) -> View:
    """For what is the platform's: the view gets an `Operation`."""

    @wraps(view)
    def guarded(**names: Any) -> Any:
        with _at_platform() as operated:
            return view(operated, **names)

    return guarded


def _at_tenant(slug: str) -> AbstractContextManager[Administration]:
    found = _token(CONSOLE)
    actor, tenant = _person(found) if isinstance(found, Bearer) else _machine(found)
    if tenant.slug != slug:
        raise NotFound(f"a token of {tenant.slug} at {slug}")
    return administration(
        provider().database, catalog(), tenant, actor, now(), origin(), read_only=_is_reading()
    )


def _at_platform() -> AbstractContextManager[Operation]:
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
        rights = acting.rights_of(db, state.standing.membership_id)
        tenant = acting.tenant_name(db, state.standing.tenant_id)
    permissions = frozenset(held).intersection(found.scope)
    actor = Actor(state.user_id, found.client.client_id, state.auth_time, permissions, rights)
    return actor, tenant


def _machine(found: Machine) -> tuple[Actor, TenantName]:
    """A tenant's own program. It gives roles below the account admin's, and of the console's nodes
    those alone that it has."""
    if found.client.tenant_id is None:
        raise _refused("insufficient_scope", "a client of no tenant", 403)
    with provider().database.connection() as db:
        tenant = acting.tenant_name(db, found.client.tenant_id)
    permissions = _granted(found)
    nodes = {
        (product.key, node)
        for product in catalog().products.values()
        if product.key not in (CONSOLE, PLATFORM)
        for node in product.permission_keys
    }
    nodes.update((CONSOLE, permission) for permission in permissions)
    rights = Rights(TOP_RANK - 1, False, frozenset(nodes))
    return Actor(None, found.client.client_id, None, permissions, rights), tenant


def _granted(found: Machine) -> frozenset[str]:
    registered = found.product.permission_keys.intersection(found.client.permissions)
    return registered.intersection(found.scope)


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
    return found


def _refused(code: str, detail: str, status: int) -> BearerRefusal:
    sentence = "The token does not do for this." if code else "A bearer token is needed."
    return BearerRefusal(code, sentence, detail, status)


def problem(refusal: Refusal) -> Response:
    """RFC 9457. `errors` maps fields to sentences."""
    status = 401 if isinstance(refusal, RecentSignInNeeded) else refusal.status
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _(refusal.public_message),
        "status": status,
        "code": refusal.code or "unauthorized",
        "request_id": request_id(),
    }
    if isinstance(refusal, Mistake):
        body["errors"] = {field: _(sentence) for field, sentence in refusal.errors.items()}
    answer = Response(orjson.dumps(body), status, mimetype=PROBLEM)
    if status == 401 or isinstance(refusal, BearerRefusal):
        error = f', error="{refusal.code}"' if refusal.code else ""
        if isinstance(refusal, RecentSignInNeeded):
            error += f', max_age="{RECENT:.0f}"'  # RFC 9470 section 3
        answer.headers["WWW-Authenticate"] = f'Bearer realm="latchkey"{error}'
    return answer


def answered(body: Any, status: int = 200, **headers: str) -> Response:
    answer = Response(orjson.dumps(body), status, mimetype="application/json")
    answer.headers.extend(headers)
    return answer
