"""Starting a sign-in and taking its answer: the authorization code flow of OpenID Connect Core."""

import logging
import re
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from relying_parties.base.gate import find_session
from relying_parties.base.local_targets import find_local_target
from relying_parties.base.pages import (
    AWAY,
    BAD_LINK,
    NOT_ADMITTED,
    NOT_FINISHED,
    NOT_FROM_PROVIDER,
    STALE,
    Problem,
    problem_page,
)
from relying_parties.base.product import Product, current_product
from relying_parties.base.provider import SignedIn, SignInRefused

log = logging.getLogger(__name__)
blueprint = Blueprint("sign_in", __name__)

SILENT_PAUSE_SECONDS = 60
PROMPTS = ("none", "login", "consent", "select_account")
TENANT_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
PROBLEMS = {
    "access_denied": NOT_ADMITTED,
    "server_error": AWAY,
    "temporarily_unavailable": AWAY,
}


def try_silently() -> AnyResponse | None:
    """Ask the provider once, without a page, whether this browser is signed in already.

    None where that was just tried: a short-lived cookie keeps the two sites from sending the
    browser to and fro.
    """
    product = current_product()
    if product.silent_attempt_cookie in request.cookies:
        return None
    return _send_to_provider(product, target="/", parameters={"prompt": "none"})


def landing_page() -> str:
    return render_template("landing.html")


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """Start a sign-in. Also this product's `initiate_login_uri` (OpenID Connect Core 4)."""
    product = current_product()
    claimed = request.values
    tenant = claimed.get("tenant")
    if claimed.get("iss", product.configuration.issuer) != product.configuration.issuer:
        return problem_page(BAD_LINK, retry="/login")
    if tenant and not TENANT_SLUG.fullmatch(tenant):
        return problem_page(BAD_LINK, retry="/login")
    asked = {"tenant": tenant, "login_hint": claimed.get("login_hint", "")[:320]}
    if claimed.get("prompt") in PROMPTS:
        asked["prompt"] = claimed["prompt"]
    target = find_local_target(
        claimed.get("target_link_uri"), base_url=product.configuration.base_url
    )
    parameters = {name: value for name, value in asked.items() if value}
    return _send_to_provider(product, target=target or "/", parameters=parameters)


def send_to_step_up(target: str, parameters: dict[str, str]) -> AnyResponse:
    """Ask the provider to make sure again who this is: `parameters` are a challenge's."""
    return _send_to_provider(current_product(), target=target, parameters=parameters)


def _send_to_provider(product: Product, *, target: str, parameters: dict[str, str]) -> AnyResponse:
    is_silent = parameters.get("prompt") == "none"
    url = product.provider.start_sign_in(target=target, is_silent=is_silent, **parameters)
    response = redirect(url, 303)
    if is_silent:
        pause_silent_sign_in(response)
    return response


def pause_silent_sign_in(response: AnyResponse) -> None:
    product = current_product()
    _set_cookie(response, product.silent_attempt_cookie, "1", max_age=SILENT_PAUSE_SECONDS)


def _set_cookie(
    response: AnyResponse, name: str, value: str, *, max_age: int | None = None
) -> None:
    is_secure = current_product().configuration.is_secure
    response.set_cookie(
        name, value, max_age=max_age, httponly=True, samesite="Lax", secure=is_secure
    )


@blueprint.get("/callback")
def callback() -> AnyResponse:
    """The authorization response: state, then issuer (RFC 9207), then error or code."""
    provider = current_product().provider
    state = request.args.get("state", "")
    attempt = provider.find_attempt(state)
    if attempt is None:
        return redirect("/", 303) if find_session() else problem_page(STALE, retry="/login")
    if not provider.is_own_issuer(request.args.get("iss")):
        provider.forget_attempt(state)
        return problem_page(NOT_FROM_PROVIDER, retry="/login")
    if "error" in request.args:
        provider.forget_attempt(state)
        return _show_error(request.args["error"], attempt)
    try:
        signed_in = provider.redeem()
    except SignInRefused as refusal:
        log.warning("sign-in refused: %s", refusal)
        return problem_page(NOT_FINISHED, retry="/login")
    return _start_session(signed_in, target=attempt["target"])


def _show_error(claimed_code: str, attempt: dict[str, Any]) -> AnyResponse:
    """Say what an error means for the person. The description in the URL is never shown."""
    if attempt["is_silent"]:
        return redirect("/", 303)
    code = claimed_code if re.fullmatch(r"[a-z_]{1,48}", claimed_code) else "unknown"
    problem: Problem = PROBLEMS.get(code, NOT_FINISHED)
    retry = "/login?" + urlencode({"target_link_uri": attempt["target"]})
    return problem_page(problem, retry=retry, other_account=code == "access_denied", code=code)


def _start_session(signed_in: SignedIn, *, target: str) -> AnyResponse:
    product = current_product()
    product.sessions.end(request.cookies.get(product.session_cookie, ""))
    session = product.sessions.start(signed_in.claims, signed_in.tokens)
    response = redirect(target, 303)
    _set_cookie(response, product.session_cookie, session.id)
    response.delete_cookie(product.silent_attempt_cookie)
    return response
