"""Sign-up: who may open an account with an address of this company's domains (product.md S5)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration
from idp.directory.domain_holders import SIGN_UP, SIGN_UP_ROLE
from idp.policies import sign_up_terms
from idp.policies.belonging import ADMITTED, APPROVAL, CLOSED
from idp.web.manage import guard, policy_form, shell
from idp.web.manage.policy_form import Typed

blueprint = Blueprint("manage_sign_up_policy", __name__)


@blueprint.get("/manage/<tenant>/sign-up")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/sign-up")
@guard.administers()
def change(admin: Administration) -> Response | tuple[str, int]:
    save = partial(sign_up_terms.change, admin)
    return policy_form.submitted(sign_up_terms.NAMES, save, partial(_page, admin))


def _page(admin: Administration, *, typed: Typed | None = None, **wrong: Any) -> str:
    found = sign_up_terms.terms(admin)
    return shell.tenant_page(
        admin,
        "manage/sign_up.html",
        terms=found,
        shown=typed or {SIGN_UP: found.stated, SIGN_UP_ROLE: found.role},
        roles=sign_up_terms.roles(admin),
        ways=_ways(),
        admitted=ADMITTED,
        closed=CLOSED,
        may_admit=admin.may(sign_up_terms.ADMITS),
        **wrong,
    )


def _ways() -> dict[str, dict[str, str]]:
    return {
        APPROVAL: {
            "label": _("An admin approves each of them"),
            "about": _("They have an account at once, which opens nothing here before that."),
        },
        ADMITTED: {
            "label": _("They are let in by themselves"),
            "about": _(
                "Whoever reads mail at a verified domain gets the role below. Disabling somebody"
                " does not keep them out while they read mail at another address there."
            ),
        },
        CLOSED: {
            "label": _("Nobody"),
            "about": _("They are told to ask an admin here for an invitation."),
        },
    }
