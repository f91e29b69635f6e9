"""The operators' queue of access requests: look at the form, and decide (product.md T6)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import access_lists, deciding
from idp.directory.access_requests import AccessRequest, Action, Moved, Side
from idp.directory.acting import Mistake
from idp.directory.documents import Document
from idp.directory.operating import Operation
from idp.web.context import catalog, provider
from idp.web.manage import access_words, guard, shell

blueprint = Blueprint("manage_access_queue", __name__)


@blueprint.get("/operate/access")
@guard.operates()
def show(operation: Operation) -> str:
    status, cursor = request.args.get("status", ""), request.args.get("after", "")
    page = access_lists.queue(operation, provider().secret_keys, status, cursor)
    return shell.operator_page(
        operation,
        "manage/access_queue.html",
        page=page,
        status=status or "submitted",
        statuses={key: name for key, name in access_words.STATUSES.items() if key != "draft"},
    )


@blueprint.get("/operate/access/<request_id>")
@guard.operates()
def one(operation: Operation, request_id: str) -> str:
    operation.check("access.decide")
    found = deciding.get_request(operation, request_id)
    typed = {"company": "", "end": "", "reason": ""}
    if found.wanted_end is not None:
        typed["end"] = access_words.field_day(found.wanted_end)
    named = deciding.companies_named(operation, found.receiving_name).companies
    if len(named) == 1 and named[0].confirmed_at is not None:
        typed["company"] = named[0].slug
    return _page(operation, found, typed, {})


def _page(
    operation: Operation, found: AccessRequest, typed: dict[str, str], errors: dict[str, str]
) -> str:
    return shell.operator_page(
        operation,
        "manage/access_decision.html",
        listed=access_lists.one(operation, found),
        request_=found,
        typed=typed,
        errors=errors,
        document=operation.rows.get(Document, found.document_id or ""),
        named=deciding.companies_named(operation, found.receiving_name),
        to_confirm=deciding.find_company(operation, typed["company"])
        if "confirm" in errors
        else None,
        why_not=deciding.why_not(operation, found),
        may={action: found.may(action, operation.now) for action in Action},
        timeline=access_words.timeline(operation, found, Side.OPERATOR),
        asker=access_words.names_in(operation, found).get(found.asked_by, ""),
        products={product.key: product.name for product in catalog().products.values()},
        statuses=access_words.STATUSES,
    )


@blueprint.post("/operate/access/<request_id>/approve")
@guard.operates()
def approve(operation: Operation, request_id: str) -> Any:
    names = ("company", "end", "second_factor")
    typed = {name: request.form.get(name, "").strip() for name in names}
    wants_second_factor = bool(typed["second_factor"])
    try:
        end = access_words.read_day(typed["end"])
        confirmed = request.form.get("confirm", "")
        deciding.approve(
            operation,
            request_id,
            typed["company"],
            end,
            confirmed,
            second_factor=wants_second_factor,
        )
    except Mistake as mistake:
        return _again(operation, request_id, typed, mistake)
    flash(_("Approved. The company that is entered has been asked to give roles."))
    return _back(request_id)


@blueprint.post("/operate/access/<request_id>/refuse")
@guard.operates()
def refuse(operation: Operation, request_id: str) -> Any:
    typed = {"reason": request.form.get("reason", "")}
    try:
        deciding.refuse(operation, request_id, typed["reason"])
    except Mistake as mistake:
        return _again(operation, request_id, typed, mistake)
    flash(_("Refused. The company that asked reads the reason."))
    return _back(request_id)


def _again(
    operation: Operation, request_id: str, typed: dict[str, str], mistake: Mistake
) -> tuple[str, int]:
    found = deciding.get_request(operation, request_id)
    typed = {"company": "", "end": "", "reason": "", **typed}
    return _page(operation, found, typed, shell.errors_of(mistake)), 422


@blueprint.post("/operate/access/<request_id>/signed")
@guard.operates()
def signed(operation: Operation, request_id: str) -> Response:
    found, content = deciding.signed_form(operation, provider().secret_keys, request_id)
    return access_words.signed_download(found, content)


@blueprint.get("/operate/access/<request_id>/end")
@guard.operates()
def ask_to_end(operation: Operation, request_id: str) -> str:
    operation.check("access.decide")
    found = deciding.get_request(operation, request_id)
    if not found.may(Action.END, operation.now):
        raise Moved(Action.END, found.status)
    listed = access_lists.one(operation, found)
    return shell.operator_page(operation, "manage/access_end.html", listed=listed, request_=found)


@blueprint.post("/operate/access/<request_id>/end")
@guard.operates()
def end(operation: Operation, request_id: str) -> Response:
    deciding.end(operation, request_id)
    flash(_("The access has ended. Nothing opens by it any more."))
    return _back(request_id)


def _back(request_id: str) -> Response:
    return redirect(f"/operate/access/{request_id}", 303)
