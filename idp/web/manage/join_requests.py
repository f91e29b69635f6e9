"""People who opened an account by themselves, and wait to be let in (product.md S5)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from idp.directory import granting, join_requests, letting_in
from idp.directory.acting import Administration, Mistake
from idp.directory.roles import Role
from idp.web.context import provider
from idp.web.manage import guard, shell
from idp.web.manage.people import KINDS, STATUSES

blueprint = Blueprint("manage_join_requests", __name__)

ADDRESS = "/manage/<tenant>/join-requests"
ONE = f"{ADDRESS}/<join_request>"

BECAME = {
    **STATUSES,
    join_requests.WAITING: lazy_gettext("Waits"),
    join_requests.APPROVED: lazy_gettext("Approved"),
    join_requests.REFUSED: lazy_gettext("Refused"),
    join_requests.LAPSED: lazy_gettext("Waited"),
}

Answer = Response | str | tuple[str, int]


@blueprint.get(ADDRESS)
@guard.administers()
def listing(admin: Administration) -> str:
    return _list(admin)


@blueprint.get(ONE)
@guard.administers()
def show(admin: Administration, join_request: str) -> Answer:
    return _page(admin, join_request, {"kind": "staff", "roles": [], "reason": ""})


@blueprint.post(f"{ONE}/approve")
@guard.administers()
def approve(admin: Administration, join_request: str) -> Answer:
    kind, roles = request.form.get("kind", ""), request.form.getlist("role")
    try:
        membership = letting_in.approve(admin, join_request, kind, roles)
    except Mistake as mistake:
        typed = {"kind": kind, "roles": roles, "reason": ""}
        return _page(admin, join_request, typed, mistake)
    if membership is None:
        flash(_("They had come in by another way already, and stay as they are."))
    else:
        flash(_("They are in, and get a letter that says so."))
    return _back(admin)


@blueprint.post(f"{ONE}/refuse")
@guard.administers()
def refuse(admin: Administration, join_request: str) -> Answer:
    reason = request.form.get("reason", "")
    try:
        letting_in.refuse(admin, join_request, reason)
    except Mistake as mistake:
        typed = {"kind": "staff", "roles": [], "reason": reason}
        return _page(admin, join_request, typed, mistake)
    flash(_("Refused. They read the reason in a letter."))
    return _back(admin)


def _list(admin: Administration, errors: dict[str, str] | None = None) -> str:
    cursor = request.args.get("after", "")
    return shell.tenant_page(
        admin,
        "manage/join_requests.html",
        page=letting_in.waiting(admin, provider().secret_keys, cursor),
        errors=errors or {},
    )


def _page(
    admin: Administration,
    request_id: str,
    typed: dict[str, Any],
    mistake: Mistake | None = None,
) -> Answer:
    """The list instead, for one that nobody decides about any more."""
    try:
        found = letting_in.one(admin, request_id)
    except Mistake as decided:
        return _list(admin, shell.errors_of(decided)), decided.status
    roles = admin.rows.scalars(sa.select(Role).order_by(Role.rank.desc(), Role.name))
    rights = admin.actor.rights
    page = shell.tenant_page(
        admin,
        "manage/join_request.html",
        waiting=found,
        former=letting_in.former_people(admin, found),
        became=BECAME,
        typed=typed,
        kinds=KINDS,
        roles=[each for each in roles if granting.may_grant(rights, each, is_own=False)],
        errors=shell.errors_of(mistake) if mistake else {},
    )
    return (page, mistake.status) if mistake else page


def _back(admin: Administration) -> Response:
    return redirect(f"/manage/{admin.tenant.slug}/join-requests", 303)
