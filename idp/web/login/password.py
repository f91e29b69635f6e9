"""Sign-in by e-mail and password, with a tile for each product (product.md S1, S2)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import devices, password
from idp.credentials.password import SignInRefused
from idp.directory.catalog import ProductView
from idp.directory.identity_providers import UpstreamProvider
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.policies.assurance import PASSWORD
from idp.web.context import (
    browser_secret,
    catalog,
    cookie,
    identity_providers,
    now,
    origin,
    provider,
)
from idp.web.login import step
from idp.web.login.offered import offered, offered_by
from idp.web.presentation import allow_form_targets, product_targets

blueprint = Blueprint("password", __name__)

MAX_EMAIL = 320


@blueprint.get("/login/password")
def show() -> str:
    attempt = step.load()
    return sign_in_page(attempt)


@blueprint.post("/login/password")
def submit() -> Response | tuple[str, int]:
    attempt = attempt_of_form()
    email, secret = request.form.get("email", "").strip(), request.form.get("password", "")
    errors = _missing(attempt, email, secret)
    if errors:
        return sign_in_page(attempt, email=email, errors=errors), 400
    try:
        person = password.verify(
            provider().database,
            provider().hasher,
            provider().secret_keys,
            provider().settings,
            email,
            secret,
            now(),
            origin(),
            cookie(devices.cookie_name(provider().settings.is_https)),
        )
    except SignInRefused:
        words = _("We could not sign you in. Check your details, or reset your password.")
        return sign_in_page(attempt, email=email, error=words), 400
    return step.proceed((attempt or begin()).prove(person.id, PASSWORD, now()))


def sign_in_page(
    attempt: Attempt | None,
    *,
    email: str = "",
    error: str | None = None,
    errors: dict[str, str] | None = None,
    unknown_passkey: str = "",
) -> str:
    """`attempt` is None for a visitor who came straight here and has to pick a product. An
    `unknown_passkey` is one that the browser may forget."""
    chosen = request.form.get("product") or _product_key(attempt)
    person, tiles = _known_person(attempt), _tiles(chosen)
    values: dict[str, Any] = {
        "action": "/login/password",
        "attempt": attempt.id if attempt else "",
        "products": tiles,
        "upstreams": _upstreams(attempt, tiles),
        "linking": _linking(attempt),
        "chosen": chosen,
        "email": email or _hint(attempt),
        "person": person,
        "is_other": _is_other(),
        "not_me_url": step.page_url("password", attempt, other="1") if attempt else "/",
        "forgot_url": step.page_url("forgot", attempt) if attempt else "/login/forgot",
        "reason": _reason(attempt) if person else None,
        "error": error,
        "errors": errors or {},
        "locked_hint": _lockout() if error else None,
        "passkeys": _passkeys(attempt, unknown_passkey),
    }
    browser_secret()
    if attempt is None:
        _allow_form_targets()
    return render_template("login/sign_in.html", **values)


def _allow_form_targets() -> None:
    allow_form_targets(product_targets(catalog()))


def _upstreams(attempt: Attempt | None, tiles: list[ProductView]) -> list[UpstreamProvider]:
    """None while one of them waits to be linked: then the proof has to be our own."""
    if attempt and attempt.linking:
        return []
    found = offered(attempt) if attempt else offered_by(tiles)
    return list(found.values())


def _passkeys(attempt: Attempt | None, unknown: str) -> dict[str, str] | None:
    """None where browsers make none, and where the password is what was asked for (product.md
    M6)."""
    party = provider().settings.relying_party_id
    wants_password = attempt is not None and attempt.first_enrolled_at > 0
    return {"party": party, "unknown": unknown} if party and not wants_password else None


def _lockout() -> dict[str, int]:
    """Said after every failure, the same for every address."""
    settings = provider().settings
    return {"tries": settings.lockout_threshold, "minutes": settings.lockout_duration // 60}


def _tiles(chosen: str | None) -> list[ProductView]:
    """The products that can be opened from here, and the one that asks."""
    known = catalog()
    return [
        product
        for product in known.products.values()
        if product.key == chosen or known.launch_uri(product)
    ]


def attempt_of_form() -> Attempt | None:
    """The one that the form belongs to. A visitor has none yet; and whoever picks another tile
    than the product that asked goes to the one that they picked."""
    if not request.form.get("attempt"):
        _allow_form_targets()
        return None
    attempt = step.load()
    picked = request.form.get("product", "")
    if picked in catalog().products and picked != _product_key(attempt):
        return begin()
    return attempt


def begin() -> Attempt:
    return attempts.begin(
        provider().ephemeral,
        browser_secret(),
        provider().settings.attempt_lifetime,
        now(),
        attempts.LAUNCH,
        target=request.form.get("product", ""),
    )


def _missing(attempt: Attempt | None, email: str, secret: str) -> dict[str, str]:
    """What the form lacks. Nothing of it was tried, so nothing is counted."""
    errors = {}
    if attempt is None and request.form.get("product") not in catalog().products:
        errors["product"] = _("Choose the product you want to open.")
    if not email or len(email) > MAX_EMAIL:
        errors["email"] = _("Enter your e-mail address.")
    if not secret:
        errors["password"] = _("Enter your password.")
    return errors


def _product_key(attempt: Attempt | None) -> str | None:
    product = step.product_of(attempt) if attempt else None
    return product.key if product else None


def _known_person(attempt: Attempt | None) -> step.Who | None:
    """Whoever has to prove again who they are; nobody when they say that it is not them."""
    if attempt is None or attempt.other_account or _is_other():
        return None
    return step.who(attempt)


def _is_other() -> bool:
    return "other" in request.values


def _linking(attempt: Attempt | None) -> str:
    """The name of the provider whose account is linked by this sign-in."""
    key = attempt.linking.get("provider", "") if attempt else ""
    upstream = identity_providers().find(key)
    return upstream.name if upstream else ""


def _hint(attempt: Attempt | None) -> str:
    if attempt and attempt.linking:
        return attempt.linking["email"]
    return attempt.parameters.get("login_hint", "")[:MAX_EMAIL] if attempt else ""


def _reason(attempt: Attempt | None) -> str:
    product = step.product_of(attempt) if attempt else None
    if product is None:
        return str(_("Sign in again to go on."))
    return str(_("%(product)s asks you to sign in again.", product=product.name))
