"""The people of a company, and who of them is looked for (product.md T9)."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, request
from flask_babel import lazy_gettext as _

from idp.directory import memberships, people
from idp.directory.acting import Administration
from idp.directory.people import Wanted
from idp.directory.roles import Role
from idp.web.context import provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_people", __name__)

STATUSES = {
    memberships.ACTIVE: _("Active"),
    memberships.DISABLED: _("Disabled"),
    memberships.ENDED: _("Ended"),
}
KINDS = {
    "staff": _("Staff"),
    "customer": _("Customer"),
    "organization": _("Client contact"),
}


@blueprint.get("/manage/<tenant>/people")
@guard.administers()
def show(admin: Administration) -> str:
    asked = {name: request.args.get(name, "").strip() for name in Wanted._fields}
    wanted = Wanted(**asked)
    cursor = request.args.get("after", "")
    page = people.people(admin, provider().secret_keys, wanted, cursor)
    narrowing = {name: value for name, value in asked.items() if value}
    roles = admin.rows.execute(sa.select(Role.key, Role.name).order_by(Role.name))
    return shell.tenant_page(
        admin,
        "manage/people.html",
        page=page,
        wanted=wanted,
        is_narrowed=bool(narrowing),
        roles=list(roles),
        statuses=STATUSES,
        kinds=KINDS,
    )
