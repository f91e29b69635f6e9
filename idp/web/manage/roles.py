"""Roles: a list, and two pages to make or edit one (product.md T1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import access_tree, granting, role_editing, role_listing
from idp.directory.acting import Administration, Changed, Mistake
from idp.directory.roles import RANK, Role
from idp.errors import PageRefusal
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_roles", __name__)

Answer = Response | str | tuple[str, int]


@blueprint.get("/manage/<tenant>/roles")
@guard.administers()
def listing(admin: Administration) -> str:
    return shell.tenant_page(admin, "manage/roles.html", roles=role_listing.roles(admin))


@blueprint.get("/manage/<tenant>/roles/new")
@guard.administers(recent=True)
def new(admin: Administration) -> str:
    admin.check(role_editing.PERMISSION)
    rank = min(RANK, role_editing.highest_rank(admin.actor.rights))
    return _general_page(admin, None, {"rank": str(rank)})


@blueprint.post("/manage/<tenant>/roles/new")
@guard.administers()
def make(admin: Administration) -> Answer:
    try:
        role = role_editing.make(admin, _claimed())
    except Mistake as mistake:
        return _general_page(admin, None, _claimed(), mistake), mistake.status
    flash(_("The role %(name)s is made. It opens nothing yet.", name=role.name))
    return redirect(_url(admin, "edit_access", role), 303)


@blueprint.get("/manage/<tenant>/roles/<role_id>")
@guard.administers()
def edit(admin: Administration, role_id: str) -> str:
    admin.check(role_editing.PERMISSION)
    role = admin.get(Role, role_id)
    return _general_page(admin, role, _stored(role))


@blueprint.post("/manage/<tenant>/roles/<role_id>")
@guard.administers()
def change(admin: Administration, role_id: str) -> Answer:
    def page(refusal: PageRefusal) -> str:
        role = admin.get(Role, role_id)
        shown = _claimed() if isinstance(refusal, Mistake) else _stored(role)
        return _general_page(admin, role, shown, refusal)

    return _saved(
        admin, lambda: role_editing.change(admin, role_id, _seen(), _claimed()), page, "edit"
    )


@blueprint.get("/manage/<tenant>/roles/<role_id>/access")
@guard.administers()
def edit_access(admin: Administration, role_id: str) -> str:
    admin.check(role_editing.PERMISSION)
    return _access_page(admin, admin.get(Role, role_id))


@blueprint.post("/manage/<tenant>/roles/<role_id>/access")
@guard.administers()
def change_access(admin: Administration, role_id: str) -> Answer:
    ticked = request.form.getlist("node")
    return _saved(
        admin,
        lambda: role_editing.select(admin, role_id, _seen(), ticked),
        lambda refusal: _access_page(admin, admin.get(Role, role_id), refusal, ticked),
        "edit_access",
    )


@blueprint.get("/manage/<tenant>/roles/<role_id>/delete")
@guard.administers(recent=True)
def ask_to_delete(admin: Administration, role_id: str) -> str:
    return _deletion_page(admin, admin.get(Role, role_id))


@blueprint.post("/manage/<tenant>/roles/<role_id>/delete")
@guard.administers()
def delete(admin: Administration, role_id: str) -> Answer:
    try:
        role = role_editing.delete(admin, role_id, _seen())
    except Changed as refusal:
        return _deletion_page(admin, admin.get(Role, role_id), refusal), refusal.status
    flash(_("The role %(name)s is deleted.", name=role.name))
    return redirect(url_for("manage_roles.listing", tenant=admin.tenant.slug), 303)


def _saved(
    admin: Administration,
    save: Callable[[], Role],
    page: Callable[[PageRefusal], str],
    view: str,
) -> Answer:
    try:
        role = save()
    except (Mistake, Changed) as refusal:
        return page(refusal), refusal.status
    flash(_("Saved. It counts from now on for everybody with the role %(name)s.", name=role.name))
    return redirect(_url(admin, view, role), 303)


def _general_page(
    admin: Administration,
    role: Role | None,
    shown: dict[str, str],
    refusal: PageRefusal | None = None,
) -> str:
    rights = admin.actor.rights
    return shell.tenant_page(
        admin,
        "manage/role_general.html",
        role=role,
        seen=role_editing.digest(role) if role else None,
        shown=shown,
        highest=role_editing.highest_rank(rights),
        may_change=role is None or granting.may_change(rights, role),
        **_told(refusal),
    )


def _access_page(
    admin: Administration,
    role: Role,
    refusal: PageRefusal | None = None,
    ticked: Sequence[str] = (),
) -> str:
    rights, selected = admin.actor.rights, granting.nodes_of(role)
    if role.all_permissions:
        selected = access_tree.every_node(admin.rows)
    elif isinstance(refusal, Mistake):
        selected = access_tree.parsed(ticked)
    return shell.tenant_page(
        admin,
        "manage/role_access.html",
        role=role,
        seen=role_editing.digest(role),
        branches=access_tree.branches(admin.rows, rights, selected),
        may_change=granting.may_change(rights, role),
        **_told(refusal),
    )


def _deletion_page(admin: Administration, role: Role, refusal: PageRefusal | None = None) -> str:
    return shell.tenant_page(
        admin,
        "manage/role_deletion.html",
        role=role,
        seen=role_editing.digest(role),
        deletion=role_listing.deletion(admin, role),
        **_told(refusal),
    )


def _told(refusal: PageRefusal | None) -> dict[str, object]:
    """What a page says of a refusal: beside fields, or of the whole."""
    if isinstance(refusal, Mistake):
        return {"errors": shell.errors_of(refusal)}
    return {"error": _(refusal.public_message) if refusal else None, "errors": {}}


def _claimed() -> dict[str, str]:
    return {field: request.form.get(field, "") for field in role_editing.General._fields}


def _stored(role: Role) -> dict[str, str]:
    return {"name": role.name, "description": role.description, "rank": str(role.rank)}


def _seen() -> str:
    return request.form.get("seen", "")


def _url(admin: Administration, view: str, role: Role) -> str:
    return url_for(f"manage_roles.{view}", tenant=admin.tenant.slug, role_id=role.id)
