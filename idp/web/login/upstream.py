"""Signing in with an account at another provider: away, and back (product.md S4).

What comes back proves one thing on the attempt, or nothing, and goes to `/authorize`.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp import audit
from idp.directory.identity_providers import return_uri
from idp.directory.upstream_providers import UpstreamProvider
from idp.login import federated, linking
from idp.login.attempt import Attempt
from idp.login.federated import NotReached, NotSignedIn
from idp.web.context import browser_secret, catalog, identity_providers, now, origin, provider
from idp.web.login import away, offered, password, step

blueprint = Blueprint("upstream", __name__)

MOST_SENT = 4096  # letters of a parameter that comes back

Answer = Response | str | tuple[str, int]


@blueprint.post("/login/upstream")
def leave() -> Answer:
    attempt, email = password.attempt_of_form(), password.email_of_form()
    if attempt is None and request.form.get("product") not in catalog().products:
        errors = {"product": _("Choose the product you want to open.")}
        return password.sign_in_page(None, email=email, errors=errors), 400
    attempt, key = attempt or password.begin(), request.form.get("provider", "")
    upstream = offered.picked(attempt, key, email)
    if upstream is None:
        return password.sign_in_page(attempt, email=email, **_not_offered(key)), 400
    return password.sent_away(attempt, upstream, email)


def _not_offered(key: str) -> dict[str, Any]:
    if key:
        words = _("This product can't be opened that way. Sign in with your password or passkey.")
        return {"error": words}
    words = _("We know no company's own sign-in for this address. Use your password or passkey.")
    return {"errors": {"email": words}}


@blueprint.get("/login/upstream/<key>/return")
def come_back(key: str) -> Answer:
    away.ration()
    held, upstream = provider(), identity_providers().find(key)
    if upstream is None:
        raise NotSignedIn(f"no identity provider {key[:40]!a}")
    sent = {name: value[:MOST_SENT] for name, value in request.args.items()}
    state, secret = sent.get("state", ""), browser_secret()
    attempt, errand = federated.claim(held.ephemeral, upstream, state, secret, now())
    step.present(attempt)
    try:
        found = federated.identify(
            *(held.upstreams, held.secret_keys, upstream, errand, sent),
            *(return_uri(held.settings.issuer, key), now()),
        )
        given = (upstream, found, str(get_locale()), now(), origin())
        proven = linking.prove(held.database, attempt, *given)
    except (NotSignedIn, NotReached) as refusal:
        return _refused(attempt, upstream, refusal)
    return step.proceed(proven)


def _refused(
    attempt: Attempt, upstream: UpstreamProvider, refusal: NotSignedIn | NotReached
) -> Answer:
    """To the person in the same words; with the reason to the platform's log, which the person's
    own history is of, and to the company's whose provider it is."""
    person = refusal.user_id if isinstance(refusal, NotSignedIn) else None
    about = {"provider": upstream.key, "reason": refusal.detail, "person": person}
    with provider().database.transaction() as db:
        for tenant in dict.fromkeys((None, upstream.tenant_id or None)):
            tag = "sign_in.federated_refused"
            audit.record(db, tag, now(), origin(), tenant=tenant, **about)
    return password.sign_in_page(attempt, error=_(refusal.public_message)), refusal.status
