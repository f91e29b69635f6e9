"""The profile menu of our own pages: the same answer as the switcher gives to products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idp.directory import switcher
from idp.directory.switcher import Opening
from idp.sessions.browser import BrowserSession
from idp.web.context import catalog, provider


def openings(signed_in: BrowserSession) -> list[Opening]:
    with provider().database.connection() as db:
        return switcher.openings(db, signed_in.user_id)


def of(signed_in: BrowserSession, opened: Sequence[Opening]) -> dict[str, Any]:
    """In the tenant that the session is in, else the person's first."""
    here = signed_in.tenant_id or signed_in.last_tenant_id
    if here not in {opening.tenant_id for opening in opened}:
        here = opened[0].tenant_id if opened else None
    menu = switcher.menu(
        catalog(),
        opened,
        provider().settings.issuer,
        name=signed_in.name,
        email=signed_in.email,
        tenant_id=here,
        product_key=None,
    )
    return {**menu, "sign_out_url": "/logout"}
