"""What the console and its API refused to somebody who is known: in the audit log of the tenant
that they act for, or in the platform's (security.md S76, S84)."""

from __future__ import annotations

from typing import NamedTuple

import structlog
from flask import g, request

from idp import audit
from idp.directory.acting import Forbidden, NotFound
from idp.errors import BearerRefusal, Refusal, StoreUnavailable
from idp.web.context import current_session, now, origin, provider

AUDIT_WINDOW = 60.0
AUDITED_REFUSALS = 20
CONSOLE_PATHS = ("/manage/", "/operate")

log = structlog.get_logger("refusals")


class Asker(NamedTuple):
    """A person, a client, or a person by a client; ids. `tenant_id` is their own, None for what is
    the platform's."""

    user_id: str | None
    client_id: str | None
    tenant_id: str | None


NOBODY = Asker(None, None, None)


def note(user_id: str | None, client_id: str | None, tenant_id: str | None) -> None:
    """Who asks, as soon as that is known."""
    g.asker = Asker(user_id, client_id, tenant_id)


def tell(refusal: Refusal) -> None:
    """In the log always; in the audit log what their rights did not allow."""
    asker = _asker()
    log.info(
        "refused",
        code=refusal.code,
        why=refusal.detail,
        **{name: value for name, value in asker._asdict().items() if value},
    )
    is_denial = isinstance(refusal, Forbidden | NotFound) or (
        isinstance(refusal, BearerRefusal) and refusal.status == 403
    )
    if is_denial and asker != NOBODY:
        _record(asker, refusal)


def _asker() -> Asker:
    """Whoever was refused before it was clear for whom they act is of the tenant that their session
    has entered."""
    if "asker" in g:
        known: Asker = g.asker
        return known
    try:
        session = current_session() if request.path.startswith(CONSOLE_PATHS) else None
    except StoreUnavailable:
        return NOBODY
    return Asker(session.user_id, None, session.tenant_id) if session else NOBODY


def _record(asker: Asker, refusal: Refusal) -> None:
    """A few a minute of each, so that nobody can fill the audit; the last one says that the log has
    the rest. A store that is away keeps nobody from being refused."""
    whose = asker.user_id or asker.client_id
    try:
        number = provider().ephemeral.count(f"console refused {whose}", AUDIT_WINDOW, now())
        if number > AUDITED_REFUSALS:
            return
        is_last = number == AUDITED_REFUSALS
        with provider().database.transaction(durable=False) as db:
            audit.record(
                db,
                "console.refused",
                now(),
                origin(),
                actor=asker.user_id,
                tenant=asker.tenant_id,
                client=asker.client_id,
                method=request.method,
                path=request.url_rule.rule if request.url_rule else "",
                reason="more of this minute are in the log" if is_last else refusal.detail,
            )
    except StoreUnavailable as problem:
        log.warning("away", why=problem.detail)
