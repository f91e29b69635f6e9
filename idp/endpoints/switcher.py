"""The product switcher for products: what this person may open, as JSON (docs/integrate.md)."""

from __future__ import annotations

from idp.directory import skipping
from idp.directory import switcher as switcher_rule
from idp.endpoints.bearer import person_bearer
from idp.endpoints.messages import Request, Response, json_response
from idp.errors import BearerRefusal
from idp.provider import Provider


def switcher(provider: Provider, request: Request) -> Response:
    """For our own products: what a person is a member of is no scope that one could consent to."""
    bearer = person_bearer(provider, request)
    if not bearer.client.first_party:
        raise BearerRefusal(
            "insufficient_scope", "The switcher is for first-party products.", status=403
        )
    now = provider.clock()
    with provider.database.connection() as db:
        opened = switcher_rule.openings(db, bearer.state.user_id, now)
        has_skipped = skipping.has_skipped(db, bearer.state.user_id)
    return json_response(
        switcher_rule.menu(
            provider.catalog.current(now),
            opened,
            provider.settings.issuer,
            name=bearer.state.name,
            email=bearer.state.email,
            tenant_id=bearer.state.standing.tenant_id,
            product_key=bearer.product.key,
            has_skipped=has_skipped,
        )
    )
