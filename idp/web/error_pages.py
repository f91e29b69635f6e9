"""What people read when something is refused, is not there, or has failed: a calm page."""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from flask import Flask, Response, render_template
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from idp.errors import Busy, Failure, PageRefusal, Refusal, StoreUnavailable, no_room
from idp.web.context import provider, request_id
from idp.web.manage import problems, refusals

log = structlog.get_logger("pages")


def install(app: Flask) -> None:
    for error, show in (
        (Refusal, _show_refusal),
        (sa.exc.SQLAlchemyError, _show_outage),
        (CSRFError, _show_expired_form),
        (HTTPException, _show_http_error),
        (Exception, _show_failure),
    ):
        app.register_error_handler(error, problems.or_page(show))


def _show_refusal(refusal: Refusal) -> Response:
    refusals.tell(refusal)
    return Response(render_template("error.html", **told_of(refusal)), refusal.status)


def _show_outage(problem: sa.exc.SQLAlchemyError) -> Response:
    """The database went away under a page's own session, which does not tell it as ours does."""
    away = provider().database.outage(problem)
    return _show_refusal(away) if away else _show_failure(problem)


def _show_expired_form(error: CSRFError) -> Response:
    return _show_refusal(
        PageRefusal(
            "forbidden", "This form has expired. Go back and try again.", str(error), status=403
        )
    )


def _show_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]  # a routing redirect
    title, message = _http_words(status)
    page = render_template(
        "error.html",
        title=title,
        message=message,
        code=status,
        request_id=request_id(),
        back_url="/",
        back_label=_("Go to the start"),
    )
    response = Response(page, status)
    if status == 405 and error.response is None:
        response.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
    return response


def _show_failure(error: Exception) -> Response:
    """Whatever we did not foresee: logged with its trace, told without it."""
    if isinstance(error, HTTPException):
        return _show_http_error(error)
    if full := no_room(error):
        return _show_refusal(full)
    log.error("failed", exc_info=error)
    return Response(render_template("error.html", **told_of(Failure())), 500)


def told_of(refusal: Refusal) -> dict[str, object]:
    title = _("This did not work")
    if isinstance(refusal, Failure):
        title = _("Something went wrong")
    if isinstance(refusal, Busy | StoreUnavailable):
        title = _("One moment")
    return {
        "title": title,
        "message": _(refusal.public_message),
        "code": refusal.code,
        "request_id": request_id(),
        "back_url": "/",
        "back_label": _("Go to the start"),
    }


def _http_words(status: int) -> tuple[str, str]:
    if status == 404:
        return _("Page not found"), _("There is nothing at this address.")
    if status == 403:
        return _("Not allowed"), _("This request came from somewhere else than our own page.")
    if status == 405:
        return _("This did not work"), _("This address does not answer that kind of request.")
    if status in (413, 414, 431):
        return _("Too much"), _("The request is larger than we read.")
    if status < 500:
        return _("This did not work"), _("The request can't be read.")
    return _("Something went wrong"), _("It is not your fault. Please try again in a moment.")
