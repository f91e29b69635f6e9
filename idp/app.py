"""The application: the protocol endpoints, and behind them the pages."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from multiprocessing.util import Finalize
from pathlib import Path
from types import SimpleNamespace

from flask import Flask, Response, abort, render_template, request
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFProtect

from idp import logs
from idp.directory import document_kinds, people_file
from idp.draining import ending_connections
from idp.endpoints.bodies import Bodies
from idp.endpoints.measured import measured
from idp.endpoints.messages import Page
from idp.endpoints.router import HANDED_PAGE, Environ, Router, StartResponse, WsgiApp
from idp.endpoints.traced import traced
from idp.measures import MEASURES
from idp.provider import Provider, provider
from idp.proxies import behind_proxies, with_request_ids
from idp.settings import Settings, settings_from
from idp.store_time import STORE_TIME
from idp.traces import JOINED, TRACES
from idp.web import brands, downloads, error_pages, home, inbox, languages, presentation
from idp.web.account import adding as adding_factors
from idp.web.account import email as own_email
from idp.web.account import enable, linked_accounts, profile, security
from idp.web.account import history as own_history
from idp.web.account import password as own_password
from idp.web.account import products as connected_products
from idp.web.account import requests as requests_of_clients
from idp.web.account import sessions as own_sessions
from idp.web.addresses import Address
from idp.web.context import (
    EXTENSION,
    current_session,
    judge_afresh,
    keep_browser_secret,
    orm,
)
from idp.web.context import provider as provider_of_request
from idp.web.login import (
    check_session,
    consent,
    device,
    enrol,
    enrol_key,
    forgot,
    invitation,
    logout,
    new_password,
    not_open,
    passkey,
    password,
    recovery_codes,
    second_factor,
    second_factor_key,
    select_account,
    sign_up,
    signed_out,
    tenant,
    unlock,
    upstream,
)
from idp.web.manage import (
    access,
    access_queue,
    api_nouns,
    branding,
    company_providers,
    domains,
    factor_resets,
    imports,
    invitations,
    join_requests,
    multi_factor,
    overview,
    password_policy,
    people,
    person,
    policy,
    problems,
    roles,
    sign_up_policy,
)
from idp.web.manage import audit as audit_log
from idp.web.manage import clients as operated_clients
from idp.web.manage import health as platform_health
from idp.web.manage import keys as signing_keys
from idp.web.manage import operators as platform_operators
from idp.web.manage import products as operated_products
from idp.web.manage import registration_tokens as operated_registration_tokens
from idp.web.manage import tenants as operated_tenants
from idp.web.manage import visits as operator_visits
from idp.web.sent_forms import PageRequest

PACKAGE = Path(__file__).parent
MAX_FORM = 64 * 1024
THREADS_WITHOUT_BODIES = 2
# A token leaves six objects in circles at most, a page some eighty: to look less often is 2 to 5 %
# less.
GARBAGE = (10_000, 20, 20)
SIGNAL_WHEN_PARENT_ENDS = 1  # PR_SET_PDEATHSIG (prctl(2))
SIGN_IN_PAGES = (
    *(brands, home, inbox, consent, device, invitation),
    enable,
    *(profile, security, adding_factors, own_email, own_password),
    *(own_sessions, own_history, connected_products, requests_of_clients),
    *(forgot, logout, signed_out, check_session),
    *(new_password, not_open, passkey, password, select_account, sign_up),
    *(tenant, unlock, upstream, linked_accounts),
    *(enrol, enrol_key, recovery_codes, second_factor, second_factor_key),
)
UPLOADS = {imports.UPLOAD: people_file.MAX_BYTES, access.UPLOAD: document_kinds.MAX_BYTES}
CONSOLE_PAGES = (
    branding,
    company_providers,
    domains,
    overview,
    people,
    person,
    policy,
    password_policy,
    multi_factor,
    factor_resets,
    invitations,
    join_requests,
    sign_up_policy,
    imports,
    roles,
    access,
    access_queue,
    operated_tenants,
    operated_clients,
    operated_products,
    signing_keys,
    platform_operators,
    operated_registration_tokens,
    platform_health,
    audit_log,
    operator_visits,
)


def serve_app() -> WsgiApp:
    """What the server loads in each of its processes."""
    _end_with_the_first()
    keep_environment_to_ourselves()
    gc.set_threshold(*GARBAGE)
    settings = settings_from()
    logs.configure(settings.log_level)
    app = with_request_ids(with_store_time(_watched(settings)), settings.request_id_header)
    app = behind_proxies(app, settings.trusted_proxies, _told_by_proxies(settings))
    bodies = Bodies(app, settings.threads - THREADS_WITHOUT_BODIES, settings.port)
    bodies.watch()
    if not settings.operations_port:
        return bodies
    MEASURES.keep_telling()
    return ending_connections(measured(bodies))


def _end_with_the_first() -> None:
    """When the process is killed that has begun the others, nobody is left to tell them to end, and
    they would share the port with whatever is started next."""
    first = multiprocessing.parent_process()
    if first is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(SIGNAL_WHEN_PARENT_ENDS, signal.SIGTERM)
    if os.getppid() != first.pid:
        os.kill(os.getpid(), signal.SIGTERM)


def keep_environment_to_ourselves() -> None:
    """The server would copy it into what it says of each request: our secrets among it, and work
    for whoever looks through that."""
    from granian import wsgi

    vars(wsgi)["os"] = SimpleNamespace(environ={})


def with_store_time(app: WsgiApp) -> WsgiApp:
    """Each request has as long to wait for the database as any other, until its answer begins: a
    long export is no fault."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        STORE_TIME.begin()
        try:
            return app(environ, start_response)
        finally:
            STORE_TIME.end()

    return answer


def _watched(settings: Settings) -> WsgiApp:
    """What has begun to trace before the stores are opened traces those too."""
    if not settings.traces:
        return create_app(provider(settings))
    TRACES.begin()
    Finalize(None, TRACES.end, exitpriority=1)  # `atexit` is not heard in a process like this
    return traced(create_app(provider(settings)), settings.traces == JOINED)


def _told_by_proxies(settings: Settings) -> Iterable[str]:
    """Headers that count from a trusted proxy alone."""
    return (
        settings.request_id_header,
        settings.client_certificate_header,
        settings.client_certificate_verified_header,
        *(["traceparent"] if settings.traces == JOINED else []),
    )


def create_app(held: Provider) -> Router:
    return Router(held, create_pages(held).wsgi_app)


class _Pages(Flask):
    url_rule_class = Address
    request_class = PageRequest

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """What is everybody's is a file of ours; what is made for somebody has no path."""
        return super().get_send_file_max_age(filename) if filename else None


def create_pages(held: Provider) -> Flask:
    app = _Pages(
        __name__,
        template_folder=str(_templates()),
        static_folder=str(PACKAGE / "web" / "static"),
    )
    app.config.update(_flask_settings(held))
    app.url_map.merge_slashes = False  # it redirects by 308, which sends a form on
    app.extensions[EXTENSION] = held
    orm.init_app(app)
    languages.install(app)
    presentation.install(app)
    Bootstrap5(app)
    app.before_request(_let_files_be_uploaded)
    app.before_request(_refuse_null_characters)
    app.before_request(judge_afresh)
    csrf = CSRFProtect()
    csrf.init_app(app)
    logout.install(csrf)
    for page in SIGN_IN_PAGES:
        app.register_blueprint(page.blueprint)
    for page in CONSOLE_PAGES:
        app.register_blueprint(page.blueprint)
    api_nouns.install(app, csrf)
    app.before_request(_show_handed_page)
    app.before_request(_refuse_foreign_forms)
    app.after_request(keep_browser_secret)
    app.after_request(downloads.whole)
    error_pages.install(app)
    return app


def _templates() -> Path:
    """In a wheel they lie inside the package, in a checkout beside it."""
    inside = PACKAGE / "templates"
    return inside if inside.is_dir() else PACKAGE.parent / "templates"


def _flask_settings(held: Provider) -> dict[str, object]:
    is_https = held.settings.is_https
    return {
        "SECRET_KEY": held.secret_keys.cookies,
        "SESSION_COOKIE_NAME": "__Host-latchkey-form" if is_https else "latchkey-form",
        "SESSION_COOKIE_SECURE": is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "MAX_CONTENT_LENGTH": MAX_FORM,
        "MAX_FORM_MEMORY_SIZE": MAX_FORM,
        "MAX_FORM_PARTS": 64,
        "BOOTSTRAP_SERVE_LOCAL": True,
        "SEND_FILE_MAX_AGE_DEFAULT": presentation.STATIC_MAX_AGE,
        "SQLALCHEMY_DATABASE_URI": held.database.url,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,  # no-referrer leaves nothing to compare; see below
    }


def _let_files_be_uploaded() -> None:
    """From who is signed in, to the pages that take one; before anything reads what was sent."""
    largest = UPLOADS.get(request.endpoint or "")
    if largest and current_session() is not None:
        request.max_content_length = largest + MAX_FORM


def _refuse_foreign_forms() -> None:
    """A form of another site's is refused by what the browser says of it, besides the token
    (security.md S64). Our own forms come from `same-origin`; with no-referrer, Origin is null."""
    if (
        request.method != "POST"
        or request.blueprint == logout.blueprint.name
        or problems.is_asked()
    ):
        return
    site, sender = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in (None, "same-origin"):
        abort(403)
    if sender not in (None, "null", provider_of_request().settings.issuer):
        abort(403)


def _refuse_null_characters() -> None:
    """PostgreSQL can neither keep nor look for one, and no form of ours sends one. To look for it,
    all that was sent is awaited here, before anybody is judged; what is sent to the API, there."""
    parts = request.args if problems.is_asked() else request.values
    sent = [text for pair in parts.items(multi=True) for text in pair]
    if HANDED_PAGE in request.environ:
        return
    if any("\x00" in text for text in sent):
        abort(400)
    if "\x00" in request.path:
        abort(404)


def _show_handed_page() -> Response | None:
    """A page that a protocol endpoint asked for."""
    page: Page | None = request.environ.get(HANDED_PAGE)
    if page is None:
        return None
    values = dict(page.values)
    if "refusal" in values and problems.is_asked():
        return problems.problem(values["refusal"])
    if page.name == "form_post.html":
        presentation.allow_form_targets([values["action"]])
    if "refusal" in values:
        values = error_pages.told_of(values["refusal"])
    response = Response(render_template(page.name, **values), page.status)
    response.headers.extend(page.headers)
    return response
