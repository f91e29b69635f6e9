"""Whether the platform is well."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import lazy_gettext as _

from idp.directory.operating import Operation
from idp.operators import health, keys
from idp.tokens.key_states import State
from idp.web.context import now, provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_health", __name__)

NAMES = {
    "database": _("Database and its schema"),
    "privileges": _("Rights in the database"),
    "ephemeral": _("Half-finished sign-ins"),
    "signing keys": _("Signing keys"),
    "catalog": _("Clients"),
    "mail": _("Mail"),
    "text messages": _("Text messages"),
}


@blueprint.get("/operate/health")
@guard.operates()
def show(operation: Operation) -> str:
    load = health.load(operation, provider())
    ring = provider().key_ring.current(now())
    signing = [
        key for key in keys.all_keys(operation, ring) if key.state in (State.SIGNING, State.WAITING)
    ]
    return shell.operator_page(
        operation,
        "manage/health.html",
        findings=health.examine(provider()),
        names=NAMES,
        load=load,
        worker_is_late=load.is_worker_late(now()),
        is_behind=load.is_behind(now()),
        signing=signing,
        states=State,
    )
