"""Password policy: what a company asks of its people's passwords (product.md T9)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration, Changed, Mistake
from idp.policies import password_terms
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_password_policy", __name__)


@blueprint.get("/manage/<tenant>/password-policy")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/password-policy")
@guard.administers()
def change(admin: Administration) -> Response | tuple[str, int]:
    typed = {name: request.form.get(name, "") for name in password_terms.NAMES}
    try:
        password_terms.change(admin, request.form.get("seen", ""), typed)
    except Mistake as mistake:
        return _page(admin, typed=typed, errors=shell.errors_of(mistake)), mistake.status
    except Changed as refusal:
        return _page(admin, error=_(refusal.public_message)), refusal.status
    flash(_("The policy is saved. It counts from now on."))
    return redirect(url_for("manage_password_policy.show", tenant=admin.tenant.slug), 303)


def _page(
    admin: Administration,
    *,
    typed: dict[str, str] | None = None,
    error: str | None = None,
    errors: dict[str, str] | None = None,
) -> str:
    found = password_terms.terms(admin)
    stated = {each.whole.name: each.stated for each in found.wholes}
    shown = {name: "" if value is None else str(value) for name, value in stated.items()}
    return shell.tenant_page(
        admin,
        "manage/password_policy.html",
        terms=found,
        shown=typed or {**shown, password_terms.RESET: found.form},
        labels=_labels(),
        forms=_forms(),
        recommended_form=password_terms.RECOMMENDED_FORM,
        age=password_terms.AGE.name,
        error=error,
        errors=errors or {},
    )


def _labels() -> dict[str, str]:
    texts = (
        _("Letters or digits, at least"),
        _("Characters of any kind, at least"),
        _("Passwords that are not had again"),
        _("Days after which another one is asked for"),
    )
    return dict(zip((whole.name for whole in password_terms.WHOLES), texts, strict=True))


def _forms() -> dict[str, str]:
    by_two, by_link = password_terms.FORMS
    return {
        by_two: _("A second letter with a temporary password"),
        by_link: _("A page where another password is set"),
    }
