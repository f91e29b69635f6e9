"""The product switcher for products: what this person may open, as JSON (docs/integrate.md)."""

from __future__ import annotations

from idp.directory import skipping
from idp.directory import switcher as switcher_rule
from idp.endpoints.bearer import person_bearer
from idp.endpoints.messages import Request, Response, json_response
from idp.errors import BearerRefusal
from idp.first_steps import first_steps
from idp.provider import Provider
from idp.sessions import browser


def switcher(provider: Provider, request: Request) -> Response:
    """For our own products: what a person is a member of is no scope that one could consent to."""
    bearer = person_bearer(provider, request)
    if not bearer.client.first_party:
        raise BearerRefusal(
            "insufficient_scope", "The switcher is for first-party products.", status=403
        )
    state, now = bearer.state, provider.clock()
    with provider.database.connection() as db:
        idle = provider.settings.session_idle_lifetime
        session = browser.find_by_id(db, state.session_id, idle, now)
        menu = switcher_rule.menu(
            provider.catalog.current(now),
            switcher_rule.openings(db, state.user_id, now),
            provider.settings.issuer,
            name=state.name,
            email=state.email,
            tenant_id=state.standing.tenant_id,
            product_key=bearer.product.key,
            has_skipped=skipping.has_skipped(db, state.user_id),
            first_step=first_steps(provider, db, session, now),
        )
    return json_response(menu)
