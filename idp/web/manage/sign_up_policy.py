"""Sign-up: who may open an account with an address of this company's domains (product.md S5)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration, Changed, Mistake
from idp.directory.domain_holders import SIGN_UP, SIGN_UP_ROLE
from idp.policies import sign_up_terms
from idp.policies.belonging import ADMITTED, APPROVAL, CLOSED
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_sign_up_policy", __name__)


@blueprint.get("/manage/<tenant>/sign-up")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/sign-up")
@guard.administers()
def change(admin: Administration) -> Response | tuple[str, int]:
    typed = {name: request.form.get(name, "") for name in sign_up_terms.NAMES}
    try:
        sign_up_terms.change(admin, request.form.get("seen", ""), typed)
    except Mistake as mistake:
        return _page(admin, typed=typed, errors=shell.errors_of(mistake)), mistake.status
    except Changed as refusal:
        return _page(admin, error=_(refusal.public_message)), refusal.status
    flash(_("The policy is saved. It counts from now on."))
    return redirect(url_for("manage_sign_up_policy.show", tenant=admin.tenant.slug), 303)


def _page(
    admin: Administration,
    *,
    typed: dict[str, str] | None = None,
    error: str | None = None,
    errors: dict[str, str] | None = None,
) -> str:
    found = sign_up_terms.terms(admin)
    return shell.tenant_page(
        admin,
        "manage/sign_up.html",
        terms=found,
        shown=typed or {SIGN_UP: found.stated, SIGN_UP_ROLE: found.role},
        roles=sign_up_terms.roles(admin),
        ways=_ways(),
        admitted=ADMITTED,
        error=error,
        errors=errors or {},
    )


def _ways() -> dict[str, dict[str, str]]:
    return {
        APPROVAL: {
            "label": _("An admin approves each of them"),
            "about": _("They have an account at once, which opens nothing here before that."),
        },
        ADMITTED: {
            "label": _("They are let in by themselves"),
            "about": _("Whoever reads mail at a verified domain gets the role below."),
        },
        CLOSED: {
            "label": _("Nobody"),
            "about": _("They are told to ask an admin here for an invitation."),
        },
    }
