"""Putting a product together: the shared protocol routes, and the product's own screens."""

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, g, make_response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from relying_parties.base import formats, pages, sign_in, sign_out
from relying_parties.base.configuration import Configuration
from relying_parties.base.expiring import ExpiringValues
from relying_parties.base.gate import find_session
from relying_parties.base.headers import set_security_headers
from relying_parties.base.icons import icon, icon_drawing
from relying_parties.base.issuer_keys import IssuerKeys
from relying_parties.base.product import Face, Product, current_product
from relying_parties.base.profile_menu import menu_of
from relying_parties.base.provider import Provider, ProviderAway
from relying_parties.base.sessions import AppSession, SessionStore

log = logging.getLogger(__name__)
MainScreen = Callable[[AppSession], Any]


def create_product_app(
    face: Face,
    configuration: Configuration,
    *,
    screens: Blueprint,
    main_screen: MainScreen,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """The WSGI application of one product. It starts whether the provider answers or not."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME=f"{face.key}_flow",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=configuration.is_secure,
        MAX_CONTENT_LENGTH=64 * 1024,
        SEND_FILE_MAX_AGE_DEFAULT=300,
    )
    app.extensions["product"] = _product(app, face, configuration, clock)
    _add_routes(app, screens, main_screen)
    _add_page_furniture(app)
    _add_problem_pages(app)
    app.after_request(set_security_headers)
    return app


def _product(
    app: Flask, face: Face, configuration: Configuration, clock: Callable[[], float]
) -> Product:
    provider = Provider(app, configuration, clock=clock)
    return Product(
        face=face,
        configuration=configuration,
        provider=provider,
        sessions=SessionStore(clock=clock),
        keys=IssuerKeys(provider.fetch_keys, clock=clock),
        spent_logout_tokens=ExpiringValues(clock=clock, capacity=100_000),
        clock=clock,
    )


def _add_routes(app: Flask, screens: Blueprint, main_screen: MainScreen) -> None:
    for blueprint in (sign_in.blueprint, sign_out.blueprint, screens):
        app.register_blueprint(blueprint)
    app.add_url_rule("/healthz", "healthz", lambda: {"status": "ok"})
    app.add_url_rule("/icon.svg", "icon", _icon_file)

    @app.get("/")
    def home() -> Any:
        """The main screen; for strangers one silent sign-in, then the landing page."""
        session = find_session()
        if session:
            return main_screen(session)
        return sign_in.try_silently() or sign_in.landing_page()


def _icon_file() -> Response:
    face = current_product().face
    return Response(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-6 -6 36 36">'
        f'<rect x="-6" y="-6" width="36" height="36" rx="9" fill="{face.color}"/>'
        '<g fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" '
        f'stroke-linejoin="round">{icon_drawing(face.icon)}</g></svg>',
        mimetype="image/svg+xml",
    )


def _add_page_furniture(app: Flask) -> None:
    app.jinja_env.globals["icon"] = icon
    app.jinja_env.filters.update(formats.FILTERS)

    @app.context_processor
    def furniture() -> dict[str, Any]:
        product = current_product()
        session: AppSession | None = g.get("session")
        return {
            "face": product.face,
            "session": session,
            "menu": menu_of(session, product) if session else None,
            "form_token": session.csrf_token if session else None,
        }


def _add_problem_pages(app: Flask) -> None:
    by_status = {404: pages.NOT_FOUND, 405: pages.NOT_ALLOWED}

    @app.errorhandler(ProviderAway)
    def provider_away(error: ProviderAway) -> AnyResponse:
        log.warning("identity provider away: %s", error)
        retry = request.full_path.rstrip("?") if request.path != "/callback" else "/"
        return pages.problem_page(pages.AWAY, retry=retry)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> AnyResponse:
        if error.response is not None:
            return make_response(error.response)
        if error.code in by_status:
            return pages.problem_page(by_status[error.code])
        return pages.problem_page(pages.FAILED if error.code == 500 else pages.BAD_LINK)
