"""Access to other companies and from them, at the console of a company (product.md T5 to T7)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from idp.directory import access_lists, asking, documents, receiving
from idp.directory.access_requests import AccessRequest, Action, Moved, Side
from idp.directory.access_steps import (
    OWN_ACTIONS,
    get_asked,
    get_of_either,
    get_received,
    sides_of,
)
from idp.directory.acting import Administration, Mistake
from idp.directory.asking import Asked
from idp.directory.document_kinds import MAX_BYTES, Unacceptable
from idp.directory.documents import Document, Sound
from idp.web.context import catalog, provider
from idp.web.manage import access_form, access_words, guard, shell
from idp.web.manage.access_words import NOTHING_TYPED
from idp.web.manage.guard import Beforehand

blueprint = Blueprint("manage_access", __name__)
UPLOAD = "manage_access.upload"

KINDS = {
    "staff": lazy_gettext("Staff"),
    "customer": lazy_gettext("Customer"),
    "organization": lazy_gettext("Client contact"),
}


@blueprint.get("/manage/<tenant>/access")
@guard.administers()
def show(admin: Administration) -> str:
    """One list of two: what this company asked, or who comes to it."""
    sides = sides_of(admin)
    wanted = request.args.get("side", "")
    side = Side(wanted) if wanted in sides else sides[0]
    status, cursor = request.args.get("status", ""), request.args.get("after", "")
    page = access_lists.of_tenant(admin, provider().secret_keys, side, status, cursor)
    return shell.tenant_page(
        admin,
        "manage/access.html",
        page=page,
        side=side,
        sides=sides,
        status=status,
        statuses=access_words.STATUSES,
        products=_product_names(),
    )


@blueprint.get("/manage/<tenant>/access/new")
@guard.administers()
def new(admin: Administration) -> str:
    admin.check("access.request")
    return _ask_page(admin, NOTHING_TYPED, {})


@blueprint.post("/manage/<tenant>/access/new")
@guard.administers()
def ask(admin: Administration) -> Any:
    form = request.form
    typed = {**form.to_dict(), "products": form.getlist("products")}
    try:
        end = access_words.read_day(form.get("end", ""))
        asked = Asked(
            form.get("email", ""),
            form.get("company", ""),
            tuple(typed["products"]),
            form.get("reason", ""),
            end,
        )
        made = asking.ask(admin, asked)
    except Mistake as mistake:
        return _ask_page(admin, {**NOTHING_TYPED, **typed}, shell.errors_of(mistake)), 422
    flash(_("The request is made. Print the form, have it signed, and upload it here."))
    return _to(admin, made)


def _ask_page(admin: Administration, typed: dict[str, Any], errors: dict[str, str]) -> str:
    return shell.tenant_page(
        admin,
        "manage/access_ask.html",
        typed=typed,
        errors=errors,
        offered=asking.offered(catalog()),
    )


@blueprint.get("/manage/<tenant>/access/<request_id>")
@guard.administers()
def one(admin: Administration, request_id: str) -> str:
    return _request_page(admin, *get_of_either(admin, request_id), {})


def _request_page(
    admin: Administration, found: AccessRequest, side: Side, errors: dict[str, str]
) -> str:
    document = None
    if side == Side.ASKING and found.document_id:
        document = admin.get(Document, found.document_id)
    return shell.tenant_page(
        admin,
        "manage/access_request.html",
        listed=access_lists.one(admin, found),
        request_=found,
        side=side,
        errors=errors,
        document=document,
        may={action: found.may(action, admin.now) for action in OWN_ACTIONS[side]},
        timeline=access_words.timeline(admin, found, side),
        products=_product_names(),
        statuses=access_words.STATUSES,
    )


@blueprint.get("/manage/<tenant>/access/<request_id>/form.pdf")
@guard.administers()
def printed(admin: Administration, request_id: str) -> Response:
    """The form to be signed, filled in."""
    admin.check("access.request")
    found = get_asked(admin, request_id)
    names = access_words.names_in(admin, found)
    pdf = access_form.drawn(access_lists.one(admin, found), names, _product_names())
    return access_words.download(pdf, "application/pdf", f"{found.id}.pdf")


def _signed_form() -> Sound | Unacceptable:
    sent = request.files.get("form")
    return documents.looked_at(sent.stream.read(MAX_BYTES + 1) if sent else b"")


@blueprint.post("/manage/<tenant>/access/<request_id>/upload")
@guard.administers(beforehand=Beforehand(asking.check_may_submit, _signed_form))
def upload(admin: Administration, request_id: str, sent: Sound | Unacceptable) -> Any:
    try:
        found = asking.submit(admin, provider().secret_keys, request_id, sent)
    except Mistake as mistake:
        return _request_page(
            admin, get_asked(admin, request_id), Side.ASKING, shell.errors_of(mistake)
        ), 422
    flash(_("The form is uploaded, and the request has gone to the operators."))
    return _to(admin, found)


@blueprint.post("/manage/<tenant>/access/<request_id>/signed")
@guard.administers()
def signed(admin: Administration, request_id: str) -> Response:
    """A form that is posted, since each reading is written down."""
    found, content = asking.signed_form(admin, provider().secret_keys, request_id)
    return access_words.signed_download(found, content)


@blueprint.post("/manage/<tenant>/access/<request_id>/withdraw")
@guard.administers()
def withdraw(admin: Administration, request_id: str) -> Response:
    found = asking.withdraw(admin, request_id)
    flash(_("The request is withdrawn."))
    return _to(admin, found)


@blueprint.get("/manage/<tenant>/access/<request_id>/end")
@guard.administers()
def ask_to_end(admin: Administration, request_id: str) -> str:
    """What will happen to whom, before it does."""
    found, _side = get_of_either(admin, request_id)
    if not found.may(Action.END, admin.now):
        raise Moved(Action.END, found.status)
    listed = access_lists.one(admin, found)
    return shell.tenant_page(admin, "manage/access_end.html", listed=listed, request_=found)


@blueprint.post("/manage/<tenant>/access/<request_id>/end")
@guard.administers()
def end(admin: Administration, request_id: str) -> Response:
    found, side = get_of_either(admin, request_id)
    (asking if side == Side.ASKING else receiving).end(admin, found.id)
    flash(_("The access has ended. Nothing opens by it any more."))
    return _to(admin, found)


@blueprint.get("/manage/<tenant>/access/<request_id>/roles")
@guard.administers(recent=True)
def choose_roles(admin: Administration, request_id: str) -> str:
    admin.check("access.receive")
    found = get_received(admin, request_id)
    return _roles_page(admin, found, {"kind": "staff", "roles": []}, {})


@blueprint.post("/manage/<tenant>/access/<request_id>/roles")
@guard.administers()
def set_up(admin: Administration, request_id: str) -> Any:
    kind, roles = request.form.get("kind", ""), request.form.getlist("roles")
    try:
        found = receiving.set_up(admin, request_id, kind, roles)
    except Mistake as mistake:
        found = get_received(admin, request_id)
        return _roles_page(
            admin, found, {"kind": kind, "roles": roles}, shell.errors_of(mistake)
        ), 422
    flash(_("The roles are given, and the access is open."))
    return _to(admin, found)


def _roles_page(
    admin: Administration, found: AccessRequest, typed: dict[str, Any], errors: dict[str, str]
) -> str:
    if not found.may(Action.SET_UP, admin.now):
        raise Moved(Action.SET_UP, found.status)
    return shell.tenant_page(
        admin,
        "manage/access_roles.html",
        listed=access_lists.one(admin, found),
        request_=found,
        typed=typed,
        errors=errors,
        roles=receiving.assignable(admin),
        kinds=KINDS,
        products=_product_names(),
    )


def _product_names() -> dict[str, str]:
    return {product.key: product.name for product in catalog().products.values()}


def _to(admin: Administration, found: AccessRequest) -> Response:
    return redirect(f"/manage/{admin.tenant.slug}/access/{found.id}", 303)
