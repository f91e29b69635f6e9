"""What the token endpoint of somebody else's provider asks before it gives tokens (RFC 6749)."""

from __future__ import annotations

from urllib.parse import unquote_plus

import orjson
from werkzeug.wrappers import Request, Response

from tests.machine.upstream.accounts import Grant
from tests.machine.upstream.keys import challenge_of
from tests.machine.upstream.serving import JSON

NEEDED = ("code", "redirect_uri", "code_verifier")
NOT_STORED = {"Cache-Control": "no-store"}


class Refused(Exception):
    """As RFC 6749 section 5.2 has it."""

    def __init__(self, error: str, status: int = 400, scheme: str | None = None) -> None:
        super().__init__(error)
        self.error, self.status, self.scheme = error, status, scheme

    @property
    def answer(self) -> Response:
        body = orjson.dumps({"error": self.error})
        answer = Response(body, self.status, NOT_STORED, content_type=JSON)
        if self.scheme:
            answer.headers["WWW-Authenticate"] = self.scheme
        return answer


def check_request(request: Request) -> dict[str, str]:
    """The form of a request for the tokens of a code. Raises Refused."""
    form = request.form.to_dict()
    if any(len(values) > 1 for _, values in request.form.lists()) or "grant_type" not in form:
        raise Refused("invalid_request")
    if form["grant_type"] != "authorization_code":
        raise Refused("unsupported_grant_type")
    if any(not form.get(name) for name in NEEDED):
        raise Refused("invalid_request")
    return form


def check_client(request: Request, client_id: str, client_secret: str) -> str:
    """By client_secret_basic or client_secret_post, and not by both (section 2.3); which it was.
    Raises Refused."""
    form, basic = request.form, request.authorization
    if basic is not None and "client_secret" in form:
        raise Refused("invalid_request")
    if basic is not None:
        claimed = (unquote_plus(basic.username or ""), unquote_plus(basic.password or ""))
    else:
        claimed = (form.get("client_id", ""), form.get("client_secret", ""))
    if claimed != (client_id, client_secret):
        raise Refused("invalid_client", 401, None if basic is None else 'Basic realm="upstream"')
    return "client_secret_post" if basic is None else "client_secret_basic"


def check_grant(grant: Grant | None, form: dict[str, str], now: float) -> Grant:
    """Of the code, for whoever asked for it (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
    Raises Refused."""
    if grant is None or now >= grant.until:
        raise Refused("invalid_grant")
    if form["redirect_uri"] != grant.asked["redirect_uri"]:
        raise Refused("invalid_grant")
    if challenge_of(form["code_verifier"]) != grant.asked["code_challenge"]:
        raise Refused("invalid_grant")
    return grant
