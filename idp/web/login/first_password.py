"""What the two pages have in common on which somebody gets an account, by a link from a letter: the
first password, and the way to where it is used."""

from __future__ import annotations

from dataclasses import replace

from flask import request
from werkzeug.wrappers import Response

from idp.login import attempt as attempts
from idp.login import new_password
from idp.login.new_password import Owner, Prepared, Unfit
from idp.web import password_words
from idp.web.context import browser_secret, catalog, current_session, now, provider
from idp.web.login import step


def prepared(owner: Owner, errors: dict[str, str]) -> Prepared | None:
    """Of the password that was sent, unless it is unfit: `errors` tells. Where they have something
    already, it is judged, and nothing is hashed."""
    held, secret = provider(), request.form.get("password", "")
    of_products = [product.name for product in catalog().products.values()]
    try:
        if errors:
            new_password.judge(held.settings, owner, of_products, secret)
            return None
        given = (held.database, held.hasher, held.settings, owner, of_products, secret)
        return new_password.prepare(*given)
    except Unfit as unfit:
        errors["password"] = password_words.sentence(unfit.objection)
        return None


def sign_in(email: str, destination: str, target: str) -> Response:
    """With the address filled in; whoever else is signed in here is asked for it all the same."""
    held = provider()
    attempt = attempts.begin(
        held.ephemeral,
        browser_secret(),
        held.settings.attempt_lifetime,
        now(),
        destination,
        parameters={"login_hint": email},
        target=target,
    )
    return step.proceed(replace(attempt, other_account=current_session() is not None))
