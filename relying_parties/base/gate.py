"""Who may open a page: a session, kept fresh, and the permission that the page needs."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from flask import abort, g, redirect, request
from werkzeug.wrappers import Response

from relying_parties.base.pages import NO_PERMISSION, OLD_FORM, problem_page
from relying_parties.base.product import Product, current_product
from relying_parties.base.sessions import AppSession

View = Callable[..., Any]


def find_session() -> AppSession | None:
    """The browser's session with an access token that still holds, or None.

    What a person may do here is therefore never older than one access token's lifetime.
    Raises ProviderAway when the token has to be renewed and cannot be.
    """
    product = current_product()
    session = product.sessions.find(request.cookies.get(product.session_cookie, ""))
    if session is None or not _is_kept_fresh(session, product):
        return None
    g.session = session
    return session


def _is_kept_fresh(session: AppSession, product: Product) -> bool:
    if product.provider.is_fresh(session.tokens):
        return True
    # Refresh tokens are used once: two requests at the same moment must not both spend it.
    with session.renewing:
        if product.provider.is_fresh(session.tokens) or product.provider.renew(session):
            return True
    product.sessions.end(session.id)
    return False


def signed_in(*, permission: str) -> Callable[[View], View]:
    """A page for people with a session and that permission; others sign in and come back."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: Any) -> Any:
            session = find_session()
            if session is None:
                return _sign_in_and_return()
            if not session.may(permission):
                return problem_page(NO_PERMISSION)
            return view(session, **arguments)

        return guarded

    return guard


def _sign_in_and_return() -> Response:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect("/login?" + urlencode({"target_link_uri": wanted}), 303)


def check_form_token(session: AppSession) -> None:
    """Refuse a POST that does not carry the session's own token (cross-site request forgery)."""
    claimed = request.form.get("form_token", "")
    if not hmac.compare_digest(claimed.encode(), session.csrf_token.encode()):
        abort(problem_page(OLD_FORM))


def drop_session_cookie(response: Response) -> None:
    response.delete_cookie(current_product().session_cookie, samesite="Lax", httponly=True)
