"""Password policy: what a company asks of its people's passwords (product.md T9)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration
from idp.policies import password_terms
from idp.web.manage import guard, policy_form, shell
from idp.web.manage.policy_form import Typed

blueprint = Blueprint("manage_password_policy", __name__)


@blueprint.get("/manage/<tenant>/password-policy")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/password-policy")
@guard.administers()
def change(admin: Administration) -> Response | tuple[str, int]:
    save = partial(password_terms.change, admin)
    return policy_form.submitted(password_terms.NAMES, save, partial(_page, admin))


def _page(admin: Administration, *, typed: Typed | None = None, **wrong: Any) -> str:
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
        **wrong,
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
