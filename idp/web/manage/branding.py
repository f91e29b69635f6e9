"""Branding: how a company looks to its people."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import access_tree, branding
from idp.directory.acting import Administration, Changed, Mistake
from idp.directory.branding import Wanted
from idp.directory.pictures import MAX_BYTES
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_branding", __name__)


@blueprint.get("/manage/<tenant>/branding")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/branding")
@guard.administers()
def save(admin: Administration) -> Response | tuple[str, int]:
    wanted = _wanted(admin)
    try:
        branding.save(admin, request.form.get("seen", ""), wanted)
    except Mistake as mistake:
        return _page(admin, typed=wanted, errors=shell.errors_of(mistake)), mistake.status
    except Changed as refusal:
        return _page(admin, error=_(refusal.public_message)), refusal.status
    flash(_("The branding is saved. People see it on their next page."))
    return redirect(url_for("manage_branding.show", tenant=admin.tenant.slug), 303)


def _wanted(admin: Administration) -> Wanted:
    sent = request.files.get("logo")
    return Wanted(
        display_name=request.form.get("display_name", ""),
        accent=request.form.get("accent", ""),
        product_names={
            product.key: request.form.get(f"product-{product.key}", "")
            for product in access_tree.products(admin.rows)
        },
        logo=sent.read(MAX_BYTES + 1) if sent and sent.filename else None,
        drops_logo=request.form.get("drop_logo") == "yes",
    )


def _page(
    admin: Administration,
    *,
    typed: Wanted | None = None,
    error: str | None = None,
    errors: dict[str, str] | None = None,
) -> str:
    row = branding.stored(admin)
    shown = typed or Wanted(row.display_name, row.accent, row.product_names)
    return shell.tenant_page(
        admin,
        "manage/branding.html",
        shown=shown,
        seen=branding.digest(row),
        logo_digest=row.logo_digest,
        products=access_tree.products(admin.rows),
        error=error,
        errors=errors or {},
    )
