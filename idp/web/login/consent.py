"""Consent, for clients that are not first-party (OpenID Connect Core section 3.1.2.4)."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, render_template, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from idp.errors import PageRefusal
from idp.web.context import catalog
from idp.web.login import step

blueprint = Blueprint("consent", __name__)

SCOPES = {
    "openid": (_("Know that it is you"), _("A number that stands for you, and nothing else.")),
    "profile": (_("See your name"), _("Your name, language and time zone.")),
    "email": (_("See your e-mail address"), _("And whether it is confirmed.")),
    "offline_access": (
        _("Keep access while you are away"),
        _("Until you withdraw it on your account page or change your password."),
    ),
}


@blueprint.get("/login/consent")
def show() -> Response | str:
    attempt = step.load()
    client, person = step.client_of(attempt), step.who(attempt)
    if person is None or client is None:
        return step.back_to_authorize(attempt)
    redirect_uri = attempt.parameters.get("redirect_uri") or client.redirect_uris[0]
    return render_template(
        "login/consent.html",
        action="/login/consent",
        attempt=attempt.id,
        client_name=client.client_name,
        product=catalog().products.get(client.product_key),
        tenant=None,
        person=person,
        scopes=[_described(word) for word in _asked_scope(attempt.parameters, client.scope)],
        redirect_host=urlsplit(redirect_uri).netloc or redirect_uri,
        not_me_url=step.page_url("password", attempt, other="1"),
    )


@blueprint.post("/login/consent")
def submit() -> Response:
    attempt = step.load()
    client, person = step.client_of(attempt), step.who(attempt)
    if person is None or client is None:
        return step.back_to_authorize(attempt)
    decision = request.form.get("decision")
    if decision == "allow":
        scope = _asked_scope(attempt.parameters, client.scope)
        return step.proceed(attempt.choose(person.id, consented=scope, turned_back=False))
    if decision == "deny":
        return step.proceed(attempt.choose(person.id, turned_back=True))
    raise PageRefusal("invalid_request", "Choose whether to allow it or not.")


def _asked_scope(parameters: dict[str, str], allowed: str) -> list[str]:
    """What was asked for and may be: the same as the page shows is what is given (security.md
    S30)."""
    asked = parameters.get("scope", "").split()
    return [word for word in dict.fromkeys(asked) if word in allowed.split()]


def _described(scope: str) -> dict[str, object]:
    title, description = SCOPES.get(scope, (scope, ""))
    return {"name": scope, "title": title, "description": description}
