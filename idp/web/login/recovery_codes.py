"""Ten new recovery codes, shown until the person says that they have saved them (product.md M2)."""

from __future__ import annotations

import orjson
from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from idp.credentials import recovery_codes
from idp.credentials.enrolled import Hold
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.web.context import now, origin, provider
from idp.web.login import step

blueprint = Blueprint("recovery_codes", __name__)


def show_new(attempt: Attempt, user_id: str, hold: Hold) -> Response:
    """Make them for who has just enrolled in `attempt`, and go and show them. Raises what `hold`
    does; then what was proven by enrolling is not kept either."""
    held = provider()
    stores = (held.database, held.secret_keys, hold)
    codes = recovery_codes.renew(*stores, user_id, now(), origin())
    lifetime = held.settings.attempt_lifetime
    attempts.save(held.ephemeral, attempt, lifetime, now())
    held.ephemeral.put(_key(attempt), orjson.dumps(codes).decode(), lifetime, now())
    return step.to_page("recovery_codes", attempt)


@blueprint.get("/login/recovery_codes")
def show() -> Response | str:
    """To the browser that enrolled, and to nobody else's attempt."""
    attempt = step.load()
    kept, person = provider().ephemeral.read(_key(attempt), now()), step.who(attempt)
    if kept is None or person is None:
        return step.back_to_authorize(attempt)
    return render_template(
        "login/recovery_codes.html",
        action="/login/recovery_codes",
        attempt=attempt.id,
        person=person,
        product=step.product_of(attempt),
        codes=orjson.loads(kept),
    )


@blueprint.post("/login/recovery_codes")
def submit() -> Response:
    attempt = step.load()
    provider().ephemeral.drop([_key(attempt)], now())
    return step.back_to_authorize(attempt)


def _key(attempt: Attempt) -> str:
    return f"new recovery codes:{attempt.user_id}:{step.binding(attempt)}"
