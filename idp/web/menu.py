"""The profile menu of our own pages: the same answer as the switcher gives to products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request, url_for

from idp.directory import operating, skipping, switcher, tenants
from idp.directory.switcher import Opening
from idp.first_steps import first_steps
from idp.sessions.browser import BrowserSession
from idp.web.context import catalog, now, provider


def openings(signed_in: BrowserSession) -> list[Opening]:
    with provider().database.connection() as db:
        return switcher.openings(db, signed_in.user_id, now())


def of(signed_in: BrowserSession, opened: Sequence[Opening]) -> dict[str, Any]:
    """In the tenant that the address names (`?tenant=`, only to look at it), else the session's,
    else the person's first."""
    with provider().database.connection() as db:
        menu = switcher.menu(
            catalog(),
            opened,
            provider().settings.issuer,
            name=signed_in.name,
            email=signed_in.email,
            tenant_id=_here(signed_in, opened),
            product_key=None,
            has_skipped=skipping.has_skipped(db, signed_in.user_id),
            first_step=first_steps(provider(), db, signed_in, now()),
        )
        is_operator = operating.is_operator(db, signed_in.user_id)
    alike = tenants.alike(tenant["name"] for tenant in menu["tenants"])
    for tenant in menu["tenants"]:
        tenant["is_alike"] = tenants.folded(tenant["name"]) in alike
        tenant["url"] = url_for("home.home", tenant=tenant["slug"])
    return {**menu, "operate_url": "/operate" if is_operator else None, "sign_out_url": "/logout"}


def _here(signed_in: BrowserSession, opened: Sequence[Opening]) -> str | None:
    by_slug = {opening.tenant: opening.tenant_id for opening in opened}
    wanted = (by_slug.get(request.args.get("tenant", "")), signed_in.tenant_id)
    own = set(by_slug.values())
    first = opened[0].tenant_id if opened else None
    return next(
        (tenant_id for tenant_id in (*wanted, signed_in.last_tenant_id) if tenant_id in own), first
    )
