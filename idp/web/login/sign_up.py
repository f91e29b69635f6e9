"""Opening an account: the address first, then a name and a password (product.md S5).

The first page says the same whoever is asked for. Nobody is signed in here: whoever has an account
goes on by signing in with it.
"""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp import new_accounts
from idp.credentials import sign_up_links
from idp.directory.catalog import ProductView
from idp.directory.wording import one_line
from idp.login import attempt as attempts
from idp.login import sign_up
from idp.login.attempt import Attempt
from idp.login.sign_up import Found
from idp.new_accounts import ElsewhereNow
from idp.policies.belonging import ADMITTED, CLOSED, FOUNDER
from idp.web import password_words
from idp.web.context import browser_secret, catalog, now, origin, provider
from idp.web.login import first_password, step

blueprint = Blueprint("sign_up", __name__)

MAX_NAME = 120

Answer = Response | str | tuple[str, int]


class Typed(NamedTuple):
    """Names in one form, empty where they can't be taken; `company` is the founder's of one."""

    name: str
    company: str


@blueprint.get("/login/sign_up")
def show() -> Answer:
    attempt = step.load()
    if _product(attempt) is None:
        return step.back_to_authorize(attempt)
    return _asking(attempt, "")


@blueprint.post("/login/sign_up")
def ask() -> Answer:
    attempt = step.load()
    product = _product(attempt)
    if product is None:
        return step.back_to_authorize(attempt)
    typed = request.form.get("email", "").strip()
    email = sign_up.address(typed)
    if email is None:
        return _asking(attempt, typed, {"email": _("Enter your e-mail address.")}), 422
    held = provider()
    asked = (email, product.key, str(get_locale()))
    sign_up.ask(held.database, held.secret_keys, *asked, now(), origin())
    return render_template(
        "login/sign_up_asked.html",
        product=product,
        minutes=sign_up_links.LIFETIME_MINUTES,
        back=step.page_url("password", attempt),
    )


@blueprint.get("/login/sign_up/open")
def look() -> str:
    token = request.args.get("token", "")
    return _page(token, sign_up.look(provider().database, token, now()))


@blueprint.post("/login/sign_up/open")
def open_account() -> Answer:
    held, token = provider(), request.form.get("token", "")
    found = sign_up.look(held.database, token, now())
    if found.place.way == CLOSED:
        return _page(token, found), 403
    typed, errors = _typed(found)
    owner = new_accounts.owner_of(found, typed.name, typed.company)
    prepared = first_password.prepared(owner, errors)
    if prepared is None:
        return _page(token, found, errors), 422
    account = (token, owner, prepared, typed.company, now(), origin())
    try:
        new_accounts.open_account(held.database, held.secret_keys, *account)
    except ElsewhereNow:
        found = sign_up.look(held.database, token, now())
        return _page(
            token, found, error=_("Where you belong has changed. Look, and send it again.")
        ), 409
    return _sign_in(found)


def _product(attempt: Attempt) -> ProductView | None:
    """The one that is asked for, if people open accounts on their way to it."""
    product = step.product_of(attempt)
    return product if product and product.sign_up else None


def _typed(found: Found) -> tuple[Typed, dict[str, str]]:
    name = one_line(request.form.get("name", ""), MAX_NAME)
    company = one_line(request.form.get("company", ""), MAX_NAME)
    errors = {} if name else {"name": _("Enter your name.")}
    if found.place.way != FOUNDER:
        return Typed(name or "", ""), errors
    if not company:
        errors["company"] = _("Enter the name of your company.")
    return Typed(name or "", company or ""), errors


def _sign_in(found: Found) -> Response:
    """On the way to the product, if it can be opened."""
    known = catalog()
    product = known.products.get(found.product_key)
    is_open = product is not None and known.launch_uri(product) is not None
    if is_open:
        return first_password.sign_in(found.email, attempts.LAUNCH, found.product_key)
    return first_password.sign_in(found.email, attempts.PAGE, "/")


def _asking(attempt: Attempt, email: str, errors: dict[str, str] | None = None) -> str:
    browser_secret()
    return render_template(
        "login/sign_up.html",
        email=email,
        attempt=attempt.id,
        product=_product(attempt),
        back=step.page_url("password", attempt),
        errors=errors or {},
    )


def _closed(found: Found, product: ProductView | None) -> str:
    return render_template(
        "login/sign_up_closed.html",
        product=product,
        email=found.email,
        is_suspended=found.place.is_suspended,
    )


def _page(
    token: str, found: Found, errors: dict[str, str] | None = None, error: str | None = None
) -> str:
    browser_secret()
    way, product = found.place.way, catalog().products.get(found.product_key)
    if way == CLOSED:
        return _closed(found, product)
    return render_template(
        "login/sign_up_open.html",
        product=product,
        token=token,
        email=found.email,
        is_founder=way == FOUNDER,
        is_admitted=way == ADMITTED,
        name=request.form.get("name", ""),
        company=request.form.get("company", ""),
        password_hint=password_words.hint(new_accounts.owner_of(found, "", "").rules),
        error=error,
        errors=errors or {},
    )
