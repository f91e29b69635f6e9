"""Consent, for clients that are not first-party (OpenID Connect Core section 3.1.2.4)."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from idp.credentials.networks import network_of
from idp.directory.clients import Client
from idp.errors import PageRefusal
from idp.grants import decoupled
from idp.login.attempt import DECOUPLED, Attempt
from idp.oidc.backchannel_authentication import MESSAGE
from idp.secret_values import fingerprint
from idp.web import details_words
from idp.web.context import catalog, now, origin, provider
from idp.web.login import step
from idp.web.login.asking import asking
from idp.web.scope_words import place, words_of

blueprint = Blueprint("consent", __name__)


@blueprint.get("/login/consent")
def show() -> Response | str:
    attempt = step.load()
    client, person = step.client_of(attempt), step.who(attempt)
    if person is None or client is None or not _is_asked(attempt, person):
        return step.back_to_authorize(attempt)
    elsewhere = _elsewhere(attempt)
    if attempt.destination == DECOUPLED and elsewhere is None:
        return redirect(attempt.ending("over"), 303)
    return render_template(
        "login/consent.html",
        action="/login/consent",
        attempt=attempt.id,
        shown=_mark(attempt),
        client=asking(attempt, client),
        product=catalog().products.get(client.product_key),
        tenant=attempt.to_allow["tenant_name"],
        person=person,
        scopes=[_described(word, client) for word in sorted(attempt.to_allow["scope"], key=place)],
        details=details_words.told(_details(attempt), catalog()),
        elsewhere=elsewhere,
        not_me_url=None
        if attempt.is_about_person
        else step.page_url("password", attempt, other="1"),
    )


@blueprint.post("/login/consent")
def submit() -> Response:
    """A yes is to what the form's page showed: what `/authorize` asks for by now, or nothing."""
    attempt = step.load()
    person = step.who_answered(attempt)
    if person is None or not _is_asked(attempt, person):
        return step.back_to_authorize(attempt)
    decision = request.form.get("decision")
    if decision == "deny":
        return step.proceed(attempt.choose(person.id, turned_back=True))
    if decision != "allow":
        raise PageRefusal("invalid_request", "Choose whether to allow it or not.")
    if request.form.get("shown") != _mark(attempt):
        return step.back_to_authorize(attempt)
    allowed = attempt.to_allow
    return step.proceed(attempt.choose(person.id, consented=allowed, turned_back=False))


def _details(attempt: Attempt) -> list[dict[str, Any]]:
    """None in an attempt that a release without them has begun."""
    details: list[dict[str, Any]] = orjson.loads(attempt.to_allow.get("details") or "[]")
    return details


def _elsewhere(attempt: Attempt) -> dict[str, Any] | None:
    """What a person can tell it by, and when it was asked: of their own device its code, and from
    where; of a client that named them its message."""
    if attempt.destination != DECOUPLED:
        return None
    with provider().database.connection() as db:
        pending = decoupled.find(db, attempt.target, attempt.browser, now())
    return pending and {
        "user_code": attempt.parameters.get("user_code"),
        "message": attempt.parameters.get(MESSAGE),
        "at": pending.created_at,
        "address": pending.address,
        "is_near": network_of(pending.address) == network_of(origin().address),
    }


def _is_asked(attempt: Attempt, person: step.Who) -> bool:
    """Whether `/authorize` has asked this of them; another may have been signed in since."""
    return attempt.to_allow.get("user_id") == person.id


def _mark(attempt: Attempt) -> str:
    """Tells pages that show different things apart (security.md S30)."""
    return fingerprint(orjson.dumps(attempt.to_allow).decode())


def _described(word: str, client: Client) -> dict[str, object]:
    return {"name": word, **words_of(word, catalog().product_of(client), catalog())._asdict()}
