"""Resetting somebody's second factors, alone or by two admins (product.md M9, N5)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import person
from idp.directory.acting import Administration, Mistake, NotFound
from idp.grants import factor_reset, reset_requests
from idp.web.context import provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_factor_resets", __name__)

QUEUE = "/manage/<tenant>/factor-resets"
ADDRESS = "/manage/<tenant>/people/<member>/reset-factors"
ONE = f"{ADDRESS}/<reset_id>"

Answer = Response | str | tuple[str, int]


@blueprint.get(QUEUE)
@guard.administers()
def show(admin: Administration) -> str:
    """Those that wait for another admin."""
    cursor = request.args.get("after", "")
    page = reset_requests.waiting(admin, provider().secret_keys, cursor)
    return shell.tenant_page(
        admin,
        "manage/factor_resets.html",
        page=page,
        approvable={each.id for each in page.resets if factor_reset.may_approve(admin, each)},
        needs_second_admin=factor_reset.needs_second_admin(admin),
    )


@blueprint.get(ADDRESS)
@guard.administers()
def confirm(admin: Administration, member: str) -> str:
    return _page(admin, member)


@blueprint.post(ADDRESS)
@guard.administers()
def reset(admin: Administration, member: str) -> Answer:
    try:
        waits = factor_reset.reset(admin, member)
    except Mistake as mistake:
        return _page(admin, member, errors=shell.errors_of(mistake)), mistake.status
    if waits:
        flash(_("The reset is asked for. Another admin has 24 hours to approve it."))
    else:
        flash(_("Their second factors are gone, and they are signed out everywhere."))
    return _back(admin, member)


@blueprint.get(f"{ONE}/approve")
@guard.administers()
def confirm_approval(admin: Administration, member: str, reset_id: str) -> str:
    _check_is_theirs(admin, member, reset_id)
    return _page(admin, member, reset_id)


@blueprint.post(f"{ONE}/approve")
@guard.administers()
def approve(admin: Administration, member: str, reset_id: str) -> Answer:
    done = _("Their second factors are gone, and they are signed out everywhere.")
    return _decided(admin, member, reset_id, factor_reset.approve, done)


@blueprint.post(f"{ONE}/refuse")
@guard.administers()
def refuse(admin: Administration, member: str, reset_id: str) -> Answer:
    return _decided(admin, member, reset_id, factor_reset.refuse, _("Nothing is reset."))


def _decided(
    admin: Administration,
    member: str,
    reset_id: str,
    decide: Callable[[Administration, str], None],
    done: str,
) -> Answer:
    _check_is_theirs(admin, member, reset_id)
    try:
        decide(admin, reset_id)
    except Mistake as mistake:
        errors = shell.errors_of(mistake)
        return _page(admin, member, reset_id, errors=errors), mistake.status
    flash(done)
    return _back(admin, member)


def _check_is_theirs(admin: Administration, member: str, reset_id: str) -> None:
    if admin.get(reset_requests.FactorReset, reset_id).membership_id != member:
        raise NotFound("a reset of somebody else")


def _page(
    admin: Administration,
    member: str,
    reset_id: str | None = None,
    *,
    errors: dict[str, str] | None = None,
) -> str:
    admin.check(reset_requests.PERMISSION)
    someone = person.find_member(admin, member)
    return shell.tenant_page(
        admin,
        "manage/person_reset.html",
        person=someone,
        name=someone.name or someone.email,
        reset_id=reset_id,
        needs_second_admin=factor_reset.needs_second_admin(admin),
        from_queue=_is_from_queue(),
        errors=errors or {},
    )


def _back(admin: Administration, member: str) -> Response:
    place = "factor-resets" if _is_from_queue() else f"people/{member}"
    return redirect(f"/manage/{admin.tenant.slug}/{place}", 303)


def _is_from_queue() -> bool:
    """Whoever works through the queue comes back to it."""
    return "queue" in request.values
