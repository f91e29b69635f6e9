"""What a grant tells a product, as claims (OpenID Connect Core sections 2 and 5, RFC 9068).

`tenant_id`, `tenant`, `roles` and `permissions` are of one product in one tenant, never more
(product.md T3). Ours are set last, so that nothing can override them (security.md S81).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.directory.operator_standing import OperatorStanding
from idp.grants.grant_state import DETAILS, GrantState
from idp.grants.target import Target
from idp.oidc.confirmation import Confirmation
from idp.oidc.scopes import claims_of
from idp.secret_values import SecretKeys, new_id
from idp.sessions.clients import sid_of
from idp.settings import Settings
from idp.tokens.subjects import subject_of

CLAIMS = (
    *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"),
    *("name", "given_name", "family_name", "locale", "zoneinfo", "updated_at"),
    *("email", "email_verified"),
    *("tenant_id", "tenant", "roles", "permissions", "cross_tenant_grant"),
)


def userinfo_endpoint(settings: Settings) -> str:
    return f"{settings.issuer}/userinfo"


def id_token(
    state: GrantState,
    client: Client,
    product: ProductView,
    keys: SecretKeys,
    settings: Settings,
    now: float,
) -> dict[str, Any]:
    """Without `nonce` and `at_hash`, which belong to one answer and not to the grant."""
    asked = _asked(state, "id_token") & claims_of(client.scope.split())
    return {
        **{name: value for name, value in _about(state).items() if name in asked},
        "iss": settings.issuer,
        "sub": subject_of(keys, client, state.user_id),
        "aud": client.client_id,
        "iat": int(now),
        "exp": int(now) + settings.id_token_lifetime,
        "sid": sid_of(state.session_id, client.client_id),
        **_authentication(state),
        **standing(state, client, product),
    }


def access_token(
    target: Target,
    client: Client,
    scope: Iterable[str],
    confirmation: Confirmation,
    keys: SecretKeys,
    settings: Settings,
    now: float,
) -> dict[str, Any]:
    """RFC 9068 section 2.2. With `openid` one for the client's own product is good at our userinfo
    endpoint too. No product that looks at it alone lets somebody in after the end of their
    membership (product.md N3)."""
    words, state, product = tuple(scope), target.there, target.product
    audience: str | list[str] = product.resource
    if "openid" in words and target.bound is None:
        audience = [product.resource, userinfo_endpoint(settings)]
    return {
        "iss": settings.issuer,
        "sub": subject_of(keys, client, state.user_id),
        "aud": audience,
        "client_id": client.client_id,
        "iat": int(now),
        "exp": int(min(now + settings.access_token_lifetime, state.standing.ends_at or math.inf)),
        "jti": new_id(),
        "scope": " ".join(words),
        "grant_id": state.id,
        **confirmation.claim,
        **_authentication(state),
        **({DETAILS: target.details} if target.details else {}),
        **standing(state, client, product, target.bound),
    }


def machine_access_token(
    client: Client,
    product: ProductView,
    tenant: str | None,
    scope: Iterable[str],
    confirmation: Confirmation,
    settings: Settings,
    now: float,
) -> dict[str, Any]:
    """For client_credentials: the client is its own subject (RFC 9068 section 2.2). `tenant` is the
    slug of the machine's own tenant, and `product` its own or another that it may call."""
    its_tenant = {"tenant_id": client.tenant_id, "tenant": tenant} if tenant else {}
    return {
        "iss": settings.issuer,
        "sub": client.client_id,
        "aud": product.resource,
        "client_id": client.client_id,
        "iat": int(now),
        "exp": int(now) + settings.access_token_lifetime,
        "jti": new_id(),
        "scope": " ".join(scope),
        "permissions": machine_permissions(client, product),
        **confirmation.claim,
        **its_tenant,
    }


def machine_permissions(client: Client, product: ProductView) -> list[str]:
    """What a machine itself may there."""
    is_own = product.key == client.product_key
    usable = client.permissions if is_own else client.resources.get(product.key, ())
    return sorted(product.permission_keys.intersection(usable))


def userinfo(
    state: GrantState,
    client: Client,
    product: ProductView,
    scope: Iterable[str],
    keys: SecretKeys,
) -> dict[str, Any]:
    """OpenID Connect Core section 5.3.2: what the token's scopes and the request asked for, of what
    the client may still ask for."""
    asked = claims_of(scope)
    if singly := _asked(state, "userinfo"):
        asked |= singly & claims_of(client.scope.split())
    about = {name: value for name, value in _about(state).items() if name in asked}
    subject = subject_of(keys, client, state.user_id)
    return {**about, "sub": subject, **standing(state, client, product)}


def _asked(state: GrantState, place: str) -> set[str]:
    """The names in one member of the `claims` parameter."""
    return set(state.asked.get(place, ())) if state.claims else set()


def _about(state: GrantState) -> dict[str, Any]:
    """The person, with what is unknown left out."""
    known = {
        "name": state.name,
        "given_name": state.given_name,
        "family_name": state.family_name,
        "locale": state.locale,
        "zoneinfo": state.zoneinfo,
        "updated_at": int(state.updated_at),
        "email": state.email,
    }
    present: dict[str, Any] = {name: value for name, value in known.items() if value}
    return {**present, "email_verified": state.email_verified_at is not None}


def _authentication(state: GrantState) -> dict[str, Any]:
    """`auth_time` is when the person was seen, or where another provider does not say when that
    was, when they came from there."""
    return {
        "auth_time": int(state.shown_at or state.auth_time),
        "acr": state.acr,
        "amr": state.amr.split(),
    }


def standing(
    state: GrantState,
    client: Client,
    product: ProductView,
    bound: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Our own products act with all that the person may; others with what they are registered for
    and the person was shown for this grant (security.md S30), and they learn of no roles. Whoever
    calls another product acts there within `bound` (`Target`). What came across tenants carries the
    id of its grant (product.md N3). An operator is of no tenant, and what they may is cut to the
    nodes that the client asked for as scopes."""
    permissions = state.standing.permissions(product)
    if bound is not None:
        permissions = [key for key in permissions if key in bound]
    elif not client.first_party:
        allowed = _asked(state, "permissions").intersection(client.permissions)
        permissions = [key for key in permissions if key in allowed]
    if isinstance(state.standing, OperatorStanding):
        return {"permissions": [key for key in permissions if key in state.scope.split()]}
    granted = state.standing.access_request_id
    return {
        **({"cross_tenant_grant": granted} if granted else {}),
        "tenant_id": state.standing.tenant_id,
        "tenant": state.standing.tenant,
        "roles": state.standing.roles if client.first_party else [],
        "permissions": permissions,
    }
