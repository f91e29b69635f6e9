"""Sign-in by e-mail and password, with a tile for each product (product.md S1, S2)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import devices, password
from idp.credentials.password import SignInRefused
from idp.directory.catalog import ProductView
from idp.directory.upstream_providers import UpstreamProvider
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.login.federated import NotReached, NotSetUp
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
from idp.web.login import away, step
from idp.web.login.asking import Asking, asking
from idp.web.login.offered import companies_have_some, led_to, offered, only_way, says_not_when
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
    email, secret = email_of_form(), request.form.get("password", "")
    errors = _missing(attempt, email, secret)
    upstream = None if secret else led_to(attempt, email)
    if upstream and errors.keys() <= {"password"}:
        return sent_away(attempt or begin(), upstream, email)
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


def sent_away(
    attempt: Attempt, upstream: UpstreamProvider, email: str
) -> Response | tuple[str, int]:
    """To another provider, or back at the form where there is no way there."""
    try:
        return away.send(attempt, upstream, email)
    except (NotReached, NotSetUp) as refusal:
        return sign_in_page(attempt, email=email, error=_(refusal.public_message)), refusal.status


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
    only = only_way(attempt) if attempt and person else None
    values: dict[str, Any] = {
        "action": "/login/password",
        "client": _third_party(attempt),
        "attempt": attempt.id if attempt else "",
        "products": tiles,
        "upstreams": offered(attempt, tiles),
        "only_way": only,
        "by_company": person is None and not _is_linking(attempt) and companies_have_some(),
        "linking": _linking(attempt),
        "chosen": chosen,
        "email": email or _hint(attempt),
        "person": person,
        "is_other": _is_other(),
        "not_me_url": step.page_url("password", attempt, other="1") if attempt else "/",
        "sign_up_url": _sign_up_url(attempt) if person is None else None,
        "forgot_url": step.page_url("forgot", attempt) if attempt else "/login/forgot",
        "reason": _reason(attempt) if person else None,
        "error": error,
        "errors": errors or {},
        "locked_hint": _lockout() if error else None,
        "passkeys": None if only else _passkeys(attempt, unknown_passkey),
    }
    browser_secret()
    if attempt is None:
        allow_form_targets(product_targets(catalog()))
    return render_template("login/sign_in.html", **values)


def _third_party(attempt: Attempt | None) -> Asking | None:
    """The client that asks, where it is not ours."""
    client = step.client_of(attempt) if attempt else None
    return asking(attempt, client) if attempt and client and not client.first_party else None


def _sign_up_url(attempt: Attempt | None) -> str | None:
    """For the products that let people open an account (product.md S5)."""
    product = step.product_of(attempt) if attempt else None
    return step.page_url("sign_up", attempt) if attempt and product and product.sign_up else None


def _is_linking(attempt: Attempt | None) -> bool:
    return attempt is not None and bool(attempt.linking)


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
        allow_form_targets(product_targets(catalog()))
        return None
    attempt = step.load()
    picked = request.form.get("product", "")
    if picked in catalog().products and picked != _product_key(attempt):
        return begin()
    return attempt


def email_of_form() -> str:
    return request.form.get("email", "").strip()


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
    key = attempt.linking.get("provider_key", "") if attempt else ""
    upstream = identity_providers().find(key)
    return upstream.name if upstream else ""


def _hint(attempt: Attempt | None) -> str:
    if attempt and attempt.linking:
        return attempt.linking["email"]
    return attempt.parameters.get("login_hint", "")[:MAX_EMAIL] if attempt else ""


def _reason(attempt: Attempt | None) -> str:
    untold = says_not_when(attempt) if attempt else None
    if untold:
        return str(
            _(
                "%(name)s doesn't say when it has seen you, and a recent sign-in is wanted here."
                " Use your password or passkey. If you have neither, get a password by e-mail.",
                name=untold.name,
            )
        )
    product = step.product_of(attempt) if attempt else None
    if product is None:
        return str(_("Sign in again to go on."))
    return str(_("%(product)s asks you to sign in again.", product=product.name))
