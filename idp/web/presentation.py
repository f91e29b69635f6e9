"""How things are shown: icons, times, product colours, and the headers of every page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, g
from flask_babel import format_date, format_datetime, format_timedelta, get_locale
from flask_babel import gettext as _
from markupsafe import Markup

from idp.directory.catalog import Catalog
from idp.directory.colors import ink, is_color
from idp.settings import HSTS, REQUEST_ID_HEADER, RETRY_AFTER
from idp.web import brands
from idp.web.context import catalog, now, provider, request_id

STATIC_MAX_AGE = 3600
SCRIPT_ALONE = "script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
JUST_NOW = 10.0  # seconds, to either side
_SOURCE = re.compile(r"[a-z][a-z0-9+.-]*:(//[A-Za-z0-9.:\[\]-]+)?")


def install(app: Flask) -> None:
    app.jinja_env.filters.update(when=when, in_time=in_time)
    app.jinja_env.globals.update(brand=brands.brand, logo_url=brands.logo_url)
    app.jinja_env.globals.update(icon_paths=icon_paths, get_locale=get_locale, last_day=last_day)
    app.add_url_rule("/product-colors.css", "product_colors", product_colors)
    app.after_request(add_headers)


def when(at: float) -> Markup:
    """A time as people say it, with the exact one on hover and for machines."""
    moment = datetime.fromtimestamp(at, UTC)
    since = moment - datetime.fromtimestamp(now(), UTC)
    is_now = abs(since.total_seconds()) < JUST_NOW
    said = _("just now") if is_now else format_timedelta(since, add_direction=True)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(), format_datetime(moment, "long"), said
    )


def in_time(at: float) -> Markup:
    """When it will be; nothing once it is due."""
    return when(at) if at > now() else Markup()


def last_day(end: float) -> str:
    """The last day, in UTC, on which something counts that ends at `end`."""
    return str(format_date(datetime.fromtimestamp(end - 1, UTC), "long", rebase=False))


@lru_cache(maxsize=256)
def icon_paths(name: str) -> Markup:
    """The inside of an outline icon's SVG; nothing for a name that does not exist."""
    sprite = _sprite().read_bytes()
    start = sprite.find(f'<symbol id="tabler-{name}"'.encode())
    if start < 0:
        return Markup()
    paths = sprite[sprite.index(b">", start) + 1 : sprite.index(b"</symbol>", start)]
    blank = b'<path stroke="none" d="M0 0h24v24H0z" fill="none" />'
    return Markup(paths.replace(blank, b"").decode())  # noqa: S704 - a file of our own package


@cache
def _sprite() -> Path:
    """All icons in one file of megabytes, of which the few that are shown are kept. The package is
    not imported, since it would bring a whole bundler of assets."""
    package = find_spec("flask_tabler_icons")
    assert package and package.origin
    folder = Path(package.origin).parent / "static" / "tabler_icons"
    return folder / "tabler-sprite-nostroke.svg"


def product_colors() -> Response:
    """A rule per product, since pages carry no inline style. Colours are checked when a product is
    made, and checked again here, where they become part of a style sheet."""
    rules = [
        f".product-{product.key},form:has(.product-{product.key} > :checked)"
        f"{{--product:{product.color};--product-ink:{ink(product.color)}}}"
        for product in catalog().products.values()
        if is_color(product.color) and re.fullmatch(r"[a-z0-9-]+", product.key)
    ]
    response = Response("\n".join(rules), mimetype="text/css")
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


def allow_form_targets(uris: Iterable[str | None]) -> None:
    """Let the page's form end at these origins: browsers hold redirects after a form to the same
    `form-action` as the form itself (CSP Level 3)."""
    g.form_targets = sorted({origin_of(uri) for uri in uris if uri} - {""})


def allow_frames(uris: Iterable[str]) -> None:
    """Let the page show what is at these origins in frames, and nothing else."""
    g.framed = sorted({origin_of(uri) for uri in uris} - {""})


def let_anybody_frame() -> None:
    """A page that shows nothing, takes nothing, and runs a script of ours."""
    g.own_policy, g.may_be_framed = f"default-src 'none'; {SCRIPT_ALONE}", True


def origin_of(uri: str) -> str:
    """As a source of a policy; nothing for what would not be one."""
    parts = urlsplit(uri)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
    return origin if _SOURCE.fullmatch(origin) else ""


def product_targets(known: Catalog) -> list[str | None]:
    """Where the products' own sign-ins begin."""
    return [known.launch_uri(product) for product in known.products.values()]


def add_headers(response: Response) -> Response:
    """security.md S67 and S68, on everything that the pages answer."""
    headers = response.headers
    headers["Content-Security-Policy"] = g.get("own_policy") or _policy()
    headers["X-Content-Type-Options"] = "nosniff"
    headers[REQUEST_ID_HEADER] = request_id()
    if not g.get("may_be_framed"):
        headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if provider().settings.is_https:
        headers["Strict-Transport-Security"] = HSTS
    if response.status_code == 503:
        headers.setdefault(*RETRY_AFTER)
    if not response.cache_control.public:
        headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response


def _policy() -> str:
    targets = " ".join(["'self'", *g.get("form_targets", [])])
    framed = " ".join(g.get("framed", []))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
        + (f"; frame-src {framed}" if framed else "")
    )
