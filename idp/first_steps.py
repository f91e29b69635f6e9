"""What a product asks first of somebody who opens it from where they are (product.md N7), by what
decides when they do."""

from __future__ import annotations

from idp import situation
from idp.database import Connection
from idp.directory.catalog import ProductView
from idp.directory.switcher import FirstStep
from idp.login.steps import Asked, step_of
from idp.provider import Provider
from idp.sessions.browser import BrowserSession


def first_steps(
    provider: Provider, db: Connection, session: BrowserSession | None, now: float
) -> FirstStep:
    """Of a product in the tenant of that slug: the page of the step, or None for nothing at all."""
    proven = situation.proven_by(provider, db, None, session, now)

    def first_step(product: ProductView, tenant: str) -> str | None:
        nonlocal proven
        asked = Asked(product=product, tenant=tenant)
        decision, _entries, proven = situation.weighed(provider, db, proven, asked, now)
        step = step_of(decision)
        return step.page if step else None

    return first_step
