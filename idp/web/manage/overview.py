"""Where an admin comes in: what they may do here, and nothing else."""

from __future__ import annotations

from flask import Blueprint, request

from idp.directory.acting import Administration
from idp.directory.operating import Operation
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_overview", __name__)


@blueprint.get("/manage/<tenant>")
@guard.administers()
def tenant(admin: Administration) -> str:
    return shell.tenant_page(admin, "manage/overview.html")


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
