"""The audit log of a company, and the platform's: searched, read, exported (product.md T9, N8)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from idp.directory import history
from idp.directory.acting import Administration
from idp.directory.history import Reader, Wanted
from idp.directory.operating import Operation
from idp.web.audit_words import WORDS, client_name, subjects
from idp.web.context import provider
from idp.web.manage import audit_detail, audit_evidence, audit_table, filled_in, guard, shell

blueprint = Blueprint("manage_audit", __name__)


@blueprint.get("/manage/<tenant>/audit")
@guard.administers()
def of_tenant(admin: Administration) -> str:
    return shell.tenant_page(admin, "manage/audit.html", **_page(admin))


@blueprint.get("/operate/audit")
@guard.operates()
def of_platform(operation: Operation) -> str:
    return shell.operator_page(operation, "manage/audit.html", **_page(operation))


@blueprint.get("/manage/<tenant>/audit/<event>")
@guard.administers()
def event_of_tenant(admin: Administration, event: str) -> str:
    return shell.tenant_page(admin, "manage/audit_event.html", **_event(admin, event))


@blueprint.get("/operate/audit/<event>")
@guard.operates()
def event_of_platform(operation: Operation, event: str) -> str:
    return shell.operator_page(operation, "manage/audit_event.html", **_event(operation, event))


@blueprint.get("/manage/<tenant>/audit.csv")
@guard.administers()
def table_of_tenant(admin: Administration) -> Response:
    return _table(admin, admin.tenant.slug)


@blueprint.get("/operate/audit.csv")
@guard.operates()
def table_of_platform(operation: Operation) -> Response:
    return _table(operation, "platform")


@blueprint.get("/manage/<tenant>/audit.jsonl")
@guard.administers()
def evidence_of_tenant(admin: Administration) -> Response:
    return audit_evidence.download(admin, admin.tenant.slug)


@blueprint.get("/operate/audit.jsonl")
@guard.operates()
def evidence_of_platform(operation: Operation) -> Response:
    return audit_evidence.download(operation, "platform")


def _page(reader: Reader) -> dict[str, Any]:
    asked = _asked()
    wanted, errors = _wanted(asked)
    cursor = request.args.get("after", "")
    page = history.events(reader, provider().secret_keys, wanted, "" if errors else cursor)
    narrowing = {name: value for name, value in asked.items() if value}
    query = urlencode(narrowing)
    return {
        "events": [] if errors else page.events,
        "asked": asked,
        "errors": errors,
        "is_narrowed": bool(narrowing),
        "next": page.next,
        "table_url": f"audit.csv?{query}",
        "subjects": subjects(),
        "words": WORDS,
        "client_name": client_name,
    }


def _wanted(asked: dict[str, str]) -> tuple[Wanted, dict[str, str]]:
    """Days are whole and in UTC, the last one included."""
    times: dict[str, float | None] = {"from": None, "to": None}
    errors = {}
    for name, days in (("from", 0), ("to", 1)):
        if asked[name]:
            times[name] = filled_in.day(asked[name], days)
            if times[name] is None:
                errors[name] = _("Give a day like this: 2026-11-21.")
    return Wanted(asked["tag"], asked["who"], times["from"], times["to"]), errors


def _event(reader: Reader, name: str) -> dict[str, Any]:
    told = history.event(reader, name)
    entry = told.entry
    return {
        "told": told,
        "entry": entry,
        "words": WORDS.get(entry.tag, entry.tag),
        "at": datetime.fromtimestamp(entry.at, UTC).isoformat(sep=" ", timespec="milliseconds"),
        "changes": [each for each in audit_detail.changes(entry.detail) if any(each[2:])],
        "facts": [fact for fact in audit_detail.facts(entry.detail) if fact[1]],
        "client_name": client_name,
    }


def _table(reader: Reader, whose: str) -> Response:
    """What the page was narrowed to, all of it."""
    wanted, errors = _wanted(_asked())
    return audit_table.download(reader, whose, None if errors else wanted)


def _asked() -> dict[str, str]:
    return {name: request.args.get(name, "").strip() for name in ("tag", "who", "from", "to")}
