"""Signing in with an account at another provider: away, and back (product.md S4).

What comes back proves one thing on the attempt, or nothing, and goes to `/authorize`.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp import audit
from idp.credentials import tries
from idp.directory.identity_providers import UpstreamProvider
from idp.errors import PageRefusal
from idp.login import federated
from idp.login.attempt import Attempt
from idp.login.federated import NotReached, NotSignedIn
from idp.web.context import browser_secret, catalog, identity_providers, now, origin, provider
from idp.web.login import password, step
from idp.web.login.offered import offered
from idp.web.presentation import origin_of

blueprint = Blueprint("upstream", __name__)

MOST_SENT = 4096  # letters of a parameter that comes back

Answer = Response | str | tuple[str, int]


@blueprint.before_request
def ration() -> None:
    """Before anybody is asked and anything is written: each takes a thread of ours for seconds."""
    held = provider()
    tries.count_question(held.ephemeral, held.settings, now(), origin())


@blueprint.post("/login/upstream")
def leave() -> Answer:
    attempt = password.attempt_of_form()
    picked = request.form.get("product", "")
    if attempt is None and picked not in catalog().products:
        return password.sign_in_page(None, errors={"product": _("Choose a product.")}), 400
    attempt = attempt or password.begin()
    upstream = offered(attempt).get(request.form.get("provider", ""))
    if upstream is None:
        words = _("This product can't be opened that way. Sign in with your password or passkey.")
        return password.sign_in_page(attempt, error=words), 400
    held, email = provider(), request.form.get("email", "").strip()[: password.MAX_EMAIL]
    try:
        target = federated.begin(
            *(held.ephemeral, held.upstreams, upstream, attempt),
            *(_return_uri(upstream), email, now()),
        )
    except NotReached as refusal:
        return password.sign_in_page(attempt, email=email, error=_(refusal.public_message)), 503
    return _sent_to(upstream, target)


def _sent_to(upstream: UpstreamProvider, target: str) -> Answer:
    """By a redirect where the form's page let forms end, else by a link."""
    if origin_of(target) == origin_of(upstream.issuer):
        return redirect(target, 303)
    return render_template("login/upstream.html", name=upstream.name, target=target)


@blueprint.get("/login/upstream/<key>/return")
def come_back(key: str) -> Answer:
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
            *(_return_uri(upstream), now()),
        )
        with held.database.transaction() as db:
            proven = federated.prove(db, attempt, upstream.key, found, now())
    except (NotSignedIn, NotReached) as refusal:
        return _refused(attempt, upstream, refusal)
    return step.proceed(proven)


def _refused(attempt: Attempt, upstream: UpstreamProvider, refusal: PageRefusal) -> Answer:
    """To the person in the same words; to the log with the reason."""
    with provider().database.transaction() as db:
        about = {"provider": upstream.key, "reason": refusal.detail}
        audit.record(db, "sign_in.federated_refused", now(), origin(), **about)
    return password.sign_in_page(attempt, error=_(refusal.public_message)), refusal.status


def _return_uri(upstream: UpstreamProvider) -> str:
    """One for each, so that none can answer for another (RFC 9700 section 4.4.2)."""
    return f"{provider().settings.issuer}/login/upstream/{upstream.key}/return"
