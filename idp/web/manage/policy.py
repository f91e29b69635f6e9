"""Sign-in policy: what a company demands (product.md T9)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration
from idp.policies import tenant_policy
from idp.web.context import provider
from idp.web.manage import guard, policy_form, shell
from idp.web.manage.policy_form import Typed

blueprint = Blueprint("manage_policy", __name__)


@blueprint.get("/manage/<tenant>/policy")
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post("/manage/<tenant>/policy")
@guard.administers()
def change(admin: Administration) -> Response | tuple[str, int]:
    names = [limit.name for limit in tenant_policy.SESSION]
    save = partial(tenant_policy.change_sessions, admin, provider().settings)
    return policy_form.submitted(names, save, partial(_page, admin))


def _page(admin: Administration, *, typed: Typed | None = None, **wrong: Any) -> str:
    terms = tenant_policy.session_terms(admin, provider().settings)
    stated = {term.limit.name: "" if term.stated is None else str(term.stated) for term in terms}
    return shell.tenant_page(
        admin,
        "manage/policy.html",
        terms=terms,
        seen=tenant_policy.digest(admin),
        shown=typed or stated,
        words=_words(),
        **wrong,
    )


def _words() -> dict[str, dict[str, str]]:
    """What each term is called, and its unit."""
    idle, absolute = (limit.name for limit in tenant_policy.SESSION)
    return {
        idle: {"label": _("Signed out when not used for"), "unit": _("minutes")},
        absolute: {"label": _("Signed out in any case after"), "unit": _("hours")},
    }
