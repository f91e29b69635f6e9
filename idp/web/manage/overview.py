"""Where an admin comes in: what they may do here, and nothing else."""

from __future__ import annotations

from flask import Blueprint, request

from idp.directory import letters
from idp.directory.acting import Administration
from idp.directory.operating import Operation
from idp.errors import told
from idp.grants import reset_requests
from idp.web.context import catalog
from idp.web.manage import guard, shell
from idp.web.manage.api import PLATFORM, TENANT, Answer, Noun

blueprint = Blueprint("manage_overview", __name__)
api = Noun("overview", told("Where a token may act"))


class TenantStanding(Answer):
    """The company of the token, and what the token may do in it."""

    id: str
    slug: str
    name: str
    confirmed: bool
    permissions: list[str]


class PlatformStanding(Answer):
    permissions: list[str]


@blueprint.get("/manage/<tenant>")
@guard.administers()
def tenant(admin: Administration) -> str:
    counts = {"/factor-resets": reset_requests.count(admin)}
    return shell.tenant_page(
        admin,
        "manage/overview.html",
        counts=counts,
        open_products=[product.name for product in catalog().products.values() if product.sign_up],
        most_invitations=letters.UNCONFIRMED.of_one,
    )


@blueprint.get("/manage/<tenant>/continue")
@guard.administers()
def confirm(admin: Administration) -> str:
    return shell.tenant_page(
        admin, "manage/continue.html", **guard.kept_form(request.args.get("form", ""))
    )


@blueprint.get("/operate")
@guard.operates()
def platform(operation: Operation) -> str:
    return shell.operator_page(operation, "manage/overview.html")


@blueprint.get("/operate/continue")
@guard.operates()
def confirm_operation(operation: Operation) -> str:
    return shell.operator_page(
        operation, "manage/continue.html", **guard.kept_form(request.args.get("form", ""))
    )


@api.get(TENANT, told("See the company and what the token may do there"), needs=())
def company(admin: Administration) -> TenantStanding:
    held = sorted(admin.actor.permissions)
    return TenantStanding(**admin.tenant._asdict(), permissions=held)


@api.get(PLATFORM, told("See what the token may do on the platform"), needs=())
def operations(operation: Operation) -> PlatformStanding:
    return PlatformStanding(permissions=sorted(operation.actor.permissions))
