"""A company's own look on our pages: its logo, its colour, its name (product.md T9), and the logos
of clients that are not ours.

A logo is served as what it is and nothing else: a PNG that we drew, under a policy that lets it do
nothing. Its address is its digest, so it can be kept for ever.
"""

from __future__ import annotations

import re
from contextlib import suppress

from flask import Blueprint, Response, abort, g, url_for

from idp.directory import branding, client_logos
from idp.directory.branding import Look
from idp.directory.colors import is_color
from idp.errors import StoreUnavailable
from idp.web.context import provider

blueprint = Blueprint("brands", __name__)

KEPT = 31536000
INERT = "default-src 'none'; sandbox; frame-ancestors 'none'"


@blueprint.get("/logos/<digest>.png")
def logo(digest: str) -> Response:
    with provider().database.connection() as db:
        picture = branding.logo(db, digest) or client_logos.picture(db, digest)
    if picture is None:
        abort(404)
    response = Response(picture, mimetype="image/png")
    response.headers["Cache-Control"] = f"public, max-age={KEPT}, immutable"
    response.headers["Content-Disposition"] = "inline; filename=logo.png"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    g.own_policy = INERT
    return response


@blueprint.get("/colors/<slug>.css")
def colors(slug: str) -> Response:
    """The company's colour, as a style sheet, since pages carry no inline style; checked once more
    where it becomes part of one."""
    with provider().database.connection() as db:
        look = branding.look_of_slug(db, slug)
    has_own = look is not None and is_color(look.accent)
    rule = f":root:root{{--accent:{look.accent};--on-accent:#fff}}" if look and has_own else ""
    response = Response(rule, mimetype="text/css")
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


def name_the_tenant(*, slug: str = "", tenant_id: str | None = None) -> None:
    """The page that is shown next is about this company, by its id or else the slug that a visitor
    has named; a company that does not exist has no look."""
    g.branded = (slug, tenant_id)


def look_of(tenant_id: str) -> Look | None:
    with provider().database.connection() as db:
        return branding.look_of(db, tenant_id)


def brand() -> Look | None:
    """For templates: the look of the company that the page is about; looked up once. A page that
    tells of an outage has none."""
    if "brand" not in g:
        g.brand = None
        with suppress(StoreUnavailable):
            g.brand = _look_of_page()
    found: Look | None = g.brand
    return found


def _look_of_page() -> Look | None:
    slug, tenant_id = g.get("branded", ("", None))
    if tenant_id:
        return look_of(tenant_id)
    if not slug:
        return None
    with provider().database.connection() as db:
        return branding.look_for_visitors(db, slug)


def logo_url(digest: str | None) -> str | None:
    """The address of a logo, for templates."""
    if digest is None or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    return url_for("brands.logo", digest=digest)
