"""What the API answers when it refuses: problem+json (RFC 9457), whatever went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Response, request
from flask_babel import gettext as _
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException

from idp.directory.acting import RECENT, Mistake, RecentSignInNeeded, TooOften
from idp.errors import (
    BearerRefusal,
    Failure,
    PageRefusal,
    Refusal,
    no_room,
    told,
)
from idp.oidc.challenges import challenges
from idp.web.context import provider, request_id
from idp.web.manage import refusals

PREFIX = "/api/v1"
MEDIA_TYPE = "application/problem+json"
CODES = {
    404: ("not_found", told("There is nothing at this address.")),
    405: ("method_not_allowed", told("This address does not answer that kind of request.")),
    413: ("too_large", told("The request is larger than we read.")),
}
UNREADABLE = ("invalid_request", told("The request can't be read."))

Show = Callable[[Any], Any]

log = structlog.get_logger("api")


def is_asked() -> bool:
    """Whether the request is for the API, known or unknown to it."""
    return request.path == PREFIX or request.path.startswith(f"{PREFIX}/")


def or_page(show: Show) -> Show:
    """`show` answers people; at the API a problem is answered instead."""
    return lambda error: problem(error) if is_asked() else show(error)


class Problem(BaseModel):
    """`code` is for programs, `title` and `errors`, from fields to sentences, for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    request_id: str
    errors: dict[str, str] | None = None


def problem(error: Exception) -> Response:
    refusal = _refusal(error)
    status = 401 if isinstance(refusal, RecentSignInNeeded) else refusal.status
    body = Problem(
        title=_(refusal.public_message),
        status=status,
        code=refusal.code or "unauthorized",
        request_id=request_id(),
    )
    if isinstance(refusal, Mistake):
        body.errors = {field: _(sentence) for field, sentence in refusal.errors.items()}
    text = body.model_dump_json(exclude_none=True)
    answer = Response(text, status, mimetype=MEDIA_TYPE)
    if isinstance(error, HTTPException) and status == 405:
        answer.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
    if isinstance(refusal, BearerRefusal | RecentSignInNeeded):
        for challenge in _challenges(refusal):
            answer.headers.add(*challenge)
    if isinstance(refusal, TooOften):
        answer.headers["Retry-After"] = f"{refusal.wait:.0f}"
    return answer


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        refusals.tell(error)
        return error
    if away := provider().database.outage(error) or no_room(error):
        return _refusal(away)
    if isinstance(error, sa.exc.IntegrityError):
        sentence = told("Something else was changed at the same time. Read it again.")
        return PageRefusal("conflict", sentence, f"{error.orig}", 409)
    if isinstance(error, HTTPException) and 400 <= (error.code or 500) < 500:
        code, sentence = CODES.get(error.code or 400, UNREADABLE)
        return PageRefusal(code, sentence, "before any view", error.code or 400)
    log.error("failed", exc_info=error)
    return Failure()


def _challenges(refusal: Refusal) -> Iterable[tuple[str, str]]:
    """With what RFC 9470 section 3 says of a sign-in that is too old."""
    tried = request.headers.get("Authorization", "")
    if isinstance(refusal, RecentSignInNeeded):
        wanted = {"max_age": f"{RECENT:.0f}", "acr_values": refusal.acr or ""}
        return challenges(tried, error=refusal.code, **wanted)
    return challenges(tried, error=refusal.code)
