"""Requests that are sent again (Idempotency-Key), and changes of what somebody else has changed
meanwhile (ETag and If-Match, RFC 9110 section 13)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from hashlib import sha256

import orjson
import sqlalchemy as sa
from flask import Response, request

from idp import answered_once
from idp.database import Connection
from idp.directory import granting
from idp.directory.acting import Administration, Mistake
from idp.directory.operating import Operation
from idp.errors import PageRefusal, Refusal, told
from idp.web.context import now, provider

KEY = "Idempotency-Key"
KEY_PATTERN = "[!-~]{1,128}"
REPLAYED = "Idempotent-Replayed"

_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("name"), 0)))


def once(admin: Administration | Operation, do: Callable[[], Response], sent: bytes) -> Response:
    """`do()`, or the answer that it gave when the same client sent the same before. What waits for
    the network may have committed the claim: then the answer is kept in the transaction after."""
    key = request.headers.get(KEY)
    if key is None:
        return do()
    if not re.fullmatch(KEY_PATTERN, key):
        raise Mistake(**{KEY: told("One to 128 visible ASCII characters.")})
    keys, name = provider().secret_keys, _name(admin, key)
    kept = answered_once.claim(admin.db, keys, name, sha256(sent).hexdigest(), now())
    if kept is not None:
        return _again(kept)
    try:
        answer = do()
    except Refusal:
        answered_once.forget(Connection.of(admin.database, admin.rows), name)
        raise
    admin.rows.flush()
    answered_once.keep(Connection.of(admin.database, admin.rows), keys, name, _packed(answer))
    return answer


def _name(admin: Administration | Operation, key: str) -> str:
    """A key is its client's, and its person's, for one address."""
    actor = admin.actor
    whose = [actor.client_id, actor.user_id, request.method, request.path, key]
    return orjson.dumps(whose).decode()


def _packed(answer: Response) -> bytes:
    kept = {name: answer.headers[name] for name in ("Location", "ETag") if name in answer.headers}
    body = base64.b64encode(answer.get_data()).decode()
    return orjson.dumps([answer.status_code, answer.mimetype, kept, body])


def _again(kept: bytes) -> Response:
    status, media_type, headers, body = orjson.loads(kept)
    answer = Response(base64.b64decode(body), status, mimetype=media_type)
    answer.headers.extend({**headers, REPLAYED: "true"})
    return answer


def tag_of(body: bytes) -> str:
    """The ETag of a representation."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def check_is_unchanged(
    admin: Administration | Operation, current: Callable[[], bytes], *, is_demanded: bool
) -> None:
    """Raises PageRefusal: 412 if it was changed since it was read, 428 if the request does not say
    what it read (RFC 6585 section 3). Two who read the same come one after the other."""
    claimed = request.headers.get("If-Match")
    if claimed is None:
        if is_demanded:
            raise PageRefusal(
                "precondition_required", told("Send If-Match with the ETag that you read."), "", 428
            )
        return
    if isinstance(admin, Administration):
        granting.wait_for_turn(admin)
    elif not admin.database.is_sqlite:
        admin.db.row(_LOCK, name=request.path)
    tags = {each.strip() for each in claimed.split(",")}
    if "*" not in tags and tag_of(current()) not in tags:
        raise PageRefusal(
            "precondition_failed", told("It was changed since you read it."), "If-Match", 412
        )
