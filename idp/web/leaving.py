"""The browser leaves: its session has ended, and the page that comes next knows which it was."""

from __future__ import annotations

from flask import redirect, session
from werkzeug.wrappers import Response

from idp.web.context import forget_session

SIGNED_OUT = "/logout/done"
ENDED_SESSION = "ended_session"


def leave(session_id: str, target: str = SIGNED_OUT) -> Response:
    """To `target`, with nothing left of the session but its id, sealed."""
    session.clear()
    session[ENDED_SESSION] = session_id
    return forget_session(redirect(target, 303))
