"""Sign-in policy: what a company demands (product.md T9)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration, Changed, Mistake
from idp.policies import tenant_policy
from idp.web.context import provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_policy", __name__)


@blueprint.get("/manage/<tenant>/policy")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/policy")
@guard.administers()
def change(admin: Administration) -> Response | tuple[str, int]:
    fields = {limit.name: request.form.get(limit.name, "") for limit in tenant_policy.SESSION}
    seen = request.form.get("seen", "")
    try:
        tenant_policy.change_sessions(admin, provider().settings, seen, fields)
    except Mistake as mistake:
        return _page(admin, typed=fields, errors=shell.errors_of(mistake)), mistake.status
    except Changed as refusal:
        return _page(admin, error=_(refusal.public_message)), refusal.status
    flash(_("The policy is saved. It counts from now on."))
    return redirect(url_for("manage_policy.show", tenant=admin.tenant.slug), 303)


def _page(
    admin: Administration,
    *,
    typed: dict[str, str] | None = None,
    error: str | None = None,
    errors: dict[str, str] | None = None,
) -> str:
    terms = tenant_policy.session_terms(admin, provider().settings)
    stated = {term.limit.name: "" if term.stated is None else str(term.stated) for term in terms}
    return shell.tenant_page(
        admin,
        "manage/policy.html",
        terms=terms,
        seen=tenant_policy.digest(admin),
        shown=typed or stated,
        words=_words(),
        error=error,
        errors=errors or {},
    )


def _words() -> dict[str, dict[str, str]]:
    """What each term is called, and its unit."""
    idle, absolute = (limit.name for limit in tenant_policy.SESSION)
    return {
        idle: {"label": _("Signed out when not used for"), "unit": _("minutes")},
        absolute: {"label": _("Signed out in any case after"), "unit": _("hours")},
    }
