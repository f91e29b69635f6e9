"""Connections: the outside services a company has connected, and how they are doing."""

import os
import time
from collections.abc import Callable
from typing import Any, cast

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request
from werkzeug.wrappers import Response

from relying_parties.base.api_access import token_with
from relying_parties.base.app import create_product_app
from relying_parties.base.configuration import Configuration, configuration_from_environment
from relying_parties.base.gate import check_form_token, signed_in
from relying_parties.base.pages import NO_PERMISSION, problem_page
from relying_parties.base.product import Face, Section
from relying_parties.base.sessions import AppSession
from relying_parties.sample_data.feeds import Service, services_of

FACE = Face(
    key="connections",
    name="Connections",
    icon="plug-connected",
    color="#a8481c",
    promise="What your company is connected to, and how it is doing.",
    sections=(Section("Services", "/", "connections.read"),),
)
PORT = 8003
CHANGES = {"pause": "paused", "resume": "connected"}
screens = Blueprint("connections", __name__)


def create_app(configuration: Configuration, *, clock: Callable[[], float] = time.time) -> Flask:
    app = create_product_app(
        FACE, configuration, screens=screens, main_screen=services, clock=clock
    )
    app.extensions["services"] = {}
    return app


def create_app_from_environment() -> Flask:
    """For any WSGI server: `relying_parties.connections:create_app_from_environment()`."""
    base_url = f"http://localhost:{PORT}"
    return create_app(
        configuration_from_environment(os.environ, client_id=FACE.key, base_url=base_url)
    )


def services(session: AppSession) -> Any:
    if not session.may("connections.read"):
        return problem_page(NO_PERMISSION)
    known = _services(session.tenant)
    counts = {
        status: sum(service.status == status for service in known)
        for status in ("connected", "attention", "paused")
    }
    return render_template("connections/overview.html", services=known, counts=counts)


@screens.get("/services/<key>")
@signed_in(permission="connections.read")
def service_page(session: AppSession, key: str) -> str:
    return render_template("connections/service.html", service=_get_service(session, key))


@screens.post("/services/<key>")
@signed_in(permission="connections.manage")
def change_service(session: AppSession, key: str) -> Response:
    """Pause a service or let it run again."""
    check_form_token(session)
    service = _get_service(session, key)
    change = request.form.get("change", "")
    if change not in CHANGES:
        abort(400)
    service.status = CHANGES[change]
    return redirect(f"/services/{service.key}", 303)


@screens.get("/api/connections")
@token_with(permission="connections.read")
def api_connections(claims: dict[str, Any]) -> dict[str, Any]:
    known = _services(str(claims.get("tenant", "")))
    return {"connections": [_as_json(service) for service in known]}


def _get_service(session: AppSession, key: str) -> Service:
    known = {service.key: service for service in _services(session.tenant)}
    return known.get(key) or abort(404)


def _services(tenant: str) -> list[Service]:
    by_tenant = cast("dict[str, list[Service]]", current_app.extensions["services"])
    if tenant not in by_tenant:
        by_tenant.setdefault(tenant, services_of(tenant))
    return by_tenant[tenant]


def _as_json(service: Service) -> dict[str, Any]:
    return {
        "key": service.key,
        "name": service.name,
        "kind": service.kind,
        "status": service.status,
        "last_sync": service.latest.at.isoformat() if service.latest else None,
    }
