"""Inviting people into a company, and looking after those who have not come yet."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import granting, invitation_listing, invitations
from idp.directory.acting import Administration, Mistake
from idp.directory.roles import Role
from idp.web.context import provider
from idp.web.manage import guard, shell
from idp.web.manage.people import KINDS

blueprint = Blueprint("manage_invitations", __name__)

ADDRESS = "/manage/<tenant>/invitations"

Answer = Response | str | tuple[str, int]


@blueprint.get(ADDRESS)
@guard.administers()
def show(admin: Administration) -> str:
    return _list(admin, {})


@blueprint.get(f"{ADDRESS}/new")
@guard.administers()
def offer(admin: Administration) -> str:
    admin.check("people.manage")
    return _form(admin, {"kind": "staff", "roles": [], "email": ""}, {})


@blueprint.post(f"{ADDRESS}/new")
@guard.administers()
def invite(admin: Administration) -> Answer:
    sent: dict[str, Any] = {
        "email": request.form.get("email", ""),
        "kind": request.form.get("kind", ""),
        "roles": request.form.getlist("role"),
    }
    keys, language = provider().secret_keys, str(get_locale())
    try:
        invitations.invite(admin, keys, sent["email"], sent["kind"], sent["roles"], language)
    except Mistake as mistake:
        return _form(admin, sent, mistake.errors), mistake.status
    flash(_("The invitation is on its way to %(email)s.", email=sent["email"].strip()))
    return _back(admin)


@blueprint.post(f"{ADDRESS}/<invitation>/again")
@guard.administers()
def send_again(admin: Administration, invitation: str) -> Answer:
    try:
        invitations.send_again(admin, provider().secret_keys, invitation)
    except Mistake as mistake:
        return _list(admin, mistake.errors), mistake.status
    flash(_("A new link is on its way. The old one is dead."))
    return _back(admin)


@blueprint.post(f"{ADDRESS}/<invitation>/revoke")
@guard.administers()
def revoke(admin: Administration, invitation: str) -> Answer:
    try:
        invitations.revoke(admin, invitation)
    except Mistake as mistake:
        return _list(admin, mistake.errors), mistake.status
    flash(_("The invitation has been revoked. Its link is dead."))
    return _back(admin)


def _list(admin: Administration, errors: dict[str, str]) -> str:
    cursor = request.args.get("after", "")
    page = invitation_listing.pending(admin, provider().secret_keys, cursor)
    return shell.tenant_page(
        admin,
        "manage/invitations.html",
        page=page,
        errors={field: _(sentence) for field, sentence in errors.items()},
    )


def _form(admin: Administration, sent: dict[str, Any], errors: dict[str, str]) -> str:
    roles = admin.rows.scalars(sa.select(Role).order_by(Role.rank.desc(), Role.name))
    return shell.tenant_page(
        admin,
        "manage/invite.html",
        sent=sent,
        kinds=KINDS,
        roles=[
            each for each in roles if granting.may_grant(admin.actor.rights, each, is_own=False)
        ],
        days=invitations.LIFETIME_DAYS,
        errors={field: _(sentence) for field, sentence in errors.items()},
    )


def _back(admin: Administration) -> Response:
    return redirect(f"/manage/{admin.tenant.slug}/invitations", 303)
