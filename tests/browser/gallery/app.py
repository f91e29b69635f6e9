"""Renders every page with believable people, under the policy the provider serves it with.

`python -m tests.browser.gallery.app` opens it on 127.0.0.1:5077.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

import flask_tabler_icons
from babel.messages.mofile import write_mo
from flask import Flask, Response, jsonify, render_template, request
from flask_babel import Babel, get_locale
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect
from markupsafe import Markup

from idp.web.languages import read_catalog
from tests.browser.gallery.people import NOW, PRODUCTS
from tests.browser.gallery.scenes import SCENES

ROOT = Path(__file__).parents[3]
TRANSLATIONS = ROOT / "idp" / "web" / "translations"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def tabler_sprite() -> dict[str, Markup]:
    folder = Path(flask_tabler_icons.__file__).parent / "static" / "tabler_icons"
    symbols = re.findall(
        r'<symbol id="tabler-([\w-]+)"[^>]*>(.*?)</symbol>',
        (folder / "tabler-sprite-nostroke.svg").read_text(),
        re.DOTALL,
    )
    blank = '<path stroke="none" d="M0 0h24v24H0z" fill="none" />'
    return {name: Markup(paths.replace(blank, "")) for name, paths in symbols}


def icon_paths(name: str) -> Markup:
    return tabler_sprite().get(name, Markup())


def when(at: float) -> Markup:
    moment, age = datetime.fromtimestamp(at, UTC), int(NOW - at)
    count, unit = next(
        (age // size, unit)
        for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"))
        if age >= size
    )
    return Markup('<time datetime="{}" title="{:%d %B %Y, %H:%M}">{} {}{} ago</time>').format(
        moment.isoformat(), moment, count, unit, "" if count == 1 else "s"
    )


def in_time(at: float) -> Markup:
    moment = datetime.fromtimestamp(at, UTC)
    words = '<time datetime="{}">in {} seconds</time>'
    return Markup(words).format(moment.isoformat(), int(at - NOW))


class Pseudo(NullTranslations):
    """Marks whatever was translated, so that what was forgotten stands out."""

    def gettext(self, message: str) -> str:
        return f"«{message}»"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"«{msgid1 if n == 1 else msgid2}»"


def spanish() -> NullTranslations:
    compiled = BytesIO()
    write_mo(compiled, read_catalog("es"))
    compiled.seek(0)
    return GNUTranslations(compiled)


LANGUAGES: dict[str, Callable[[], NullTranslations]] = {
    "en": NullTranslations,
    "es": spanish,
    "pseudo": Pseudo,
}


def create_gallery(language: str = "en") -> Flask:
    app = Flask(
        __name__,
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "idp" / "web" / "static"),
    )
    app.config.update(SECRET_KEY="gallery", BOOTSTRAP_SERVE_LOCAL=True, WTF_CSRF_ENABLED=False)
    Babel(app, locale_selector=lambda: "es" if language == "es" else "en")
    Bootstrap5(app)
    CSRFProtect(app)
    app.jinja_env.install_gettext_translations(  # type: ignore[attr-defined]
        LANGUAGES[language](), newstyle=True
    )
    app.jinja_env.globals.update(icon_paths=icon_paths, get_locale=get_locale)
    app.jinja_env.filters.update(when=when, in_time=in_time)

    @app.get("/<scene>")
    def show(scene: str) -> Response:
        template, context = SCENES[scene]
        mimetype = "text/plain" if template.endswith(".txt") else "text/html"
        return Response(render_template(template, **context), mimetype=mimetype)

    @app.get("/")
    def contents() -> str:
        links = (Markup('<li><a href="/{0}">{0}</a></li>').format(name) for name in SCENES)
        return Markup("<ul>{}</ul>").format(Markup().join(links))

    @app.post("/answer")
    @app.post("/account")
    @app.post("/account/<page>")
    def answer(page: str = "") -> Response:
        return jsonify(request.form.to_dict())

    @app.get("/product-colors.css")
    def product_colors() -> Response:
        rules = (
            f".product-{key}, form:has(.product-{key} > :checked) "
            f"{{ --product: {color}; --product-ink: #fff; }}"
            for key, color in ((product["key"], product["color"]) for product in PRODUCTS)
        )
        return Response("\n".join(rules), mimetype="text/css")

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return app


if __name__ == "__main__":
    create_gallery().run(host="127.0.0.1", port=5077)
