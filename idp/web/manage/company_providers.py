"""A company's own identity providers: setting them up, and whose sign-in is by which."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import company_provider_form, company_providers
from idp.directory.acting import Administration, Changed, Forbidden, Mistake
from idp.directory.company_provider_form import Filled
from idp.directory.company_providers import Shown
from idp.directory.identity_providers import ACTIVE, DISABLED, CompanyProvider, return_uri
from idp.directory.upstream_providers import is_open_to_all
from idp.errors import PageRefusal
from idp.grants import provider_changes
from idp.web.context import provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_company_providers", __name__)

ADDRESS = "/manage/<tenant>/identity-providers"
ONE = f"{ADDRESS}/<provider_id>"

Answer = Response | str | tuple[str, int]


@blueprint.get(ADDRESS)
@guard.administers()
def listing(admin: Administration) -> str:
    return _list_page(admin)


@blueprint.post("/manage/<tenant>/domains/<domain_id>/route")
@guard.administers()
def route(admin: Administration, domain_id: str) -> Answer:
    wanted, seen = request.form.get("provider", ""), request.form.get("seen", "")
    try:
        company_providers.route(admin, domain_id, seen, wanted)
    except (Mistake, Changed) as refusal:
        return _list_page(admin, refusal), refusal.status
    flash(_("It is saved, and counts from the next sign-in on."))
    return _back(admin, "#domains")


@blueprint.get(f"{ADDRESS}/new")
@guard.administers()
def ask_for_one(admin: Administration) -> str:
    _check_may_change(admin)
    return _form_page(admin, None, Filled())


@blueprint.post(f"{ADDRESS}/new")
@guard.administers()
def add(admin: Administration) -> Answer:
    filled = _filled()
    try:
        added = company_providers.add(admin, provider().secret_keys, filled)
    except Mistake as mistake:
        return _form_page(admin, None, filled, mistake), mistake.status
    flash(_("%(name)s is added. Now register the address below at your provider.", name=added.name))
    return _back(admin, f"/{added.id}")


@blueprint.get(ONE)
@guard.administers()
def show(admin: Administration, provider_id: str) -> str:
    return _page(admin, provider_id)


@blueprint.get(f"{ONE}/edit")
@guard.administers()
def edit(admin: Administration, provider_id: str) -> str:
    shown = company_providers.get(admin, provider_id)
    _check_may_change(admin)
    return _form_page(admin, shown, company_provider_form.as_filled(shown.provider))


@blueprint.post(f"{ONE}/edit")
@guard.administers()
def change(admin: Administration, provider_id: str) -> Answer:
    filled, seen = _filled(), request.form.get("seen", "")
    try:
        changed = provider_changes.change(admin, provider().secret_keys, provider_id, seen, filled)
    except (Mistake, Changed) as refusal:
        shown = company_providers.get(admin, provider_id)
        is_typed = isinstance(refusal, Mistake)
        again = filled if is_typed else company_provider_form.as_filled(shown.provider)
        return _form_page(admin, shown, again, refusal), refusal.status
    return _done(admin, changed, _("%(name)s is saved.", name=changed.name))


@blueprint.get(f"{ONE}/disable")
@guard.administers()
def ask_to_disable(admin: Administration, provider_id: str) -> str:
    return _stop_page(admin, provider_id, is_removal=False)


@blueprint.post(f"{ONE}/disable")
@guard.administers()
def disable(admin: Administration, provider_id: str) -> Answer:
    seen = request.form.get("seen", "")
    try:
        company_providers.set_status(admin, provider_id, seen, DISABLED)
    except Changed as refusal:
        return _stop_page(admin, provider_id, refusal, is_removal=False), refusal.status
    flash(_("It is disabled, and signs nobody in."))
    return _back(admin, f"/{provider_id}")


@blueprint.post(f"{ONE}/enable")
@guard.administers()
def enable(admin: Administration, provider_id: str) -> Answer:
    seen = request.form.get("seen", "")
    try:
        company_providers.set_status(admin, provider_id, seen, ACTIVE)
    except (Mistake, Changed) as refusal:
        return _page(admin, provider_id, refusal), refusal.status
    flash(_("It signs people in again."))
    return _back(admin, f"/{provider_id}")


@blueprint.get(f"{ONE}/remove")
@guard.administers()
def ask_to_remove(admin: Administration, provider_id: str) -> str:
    return _stop_page(admin, provider_id, is_removal=True)


@blueprint.post(f"{ONE}/remove")
@guard.administers()
def remove(admin: Administration, provider_id: str) -> Answer:
    try:
        gone = provider_changes.remove(admin, provider_id, request.form.get("seen", ""))
    except Changed as refusal:
        return _stop_page(admin, provider_id, refusal, is_removal=True), refusal.status
    flash(_("%(name)s is removed.", name=gone.name))
    return _back(admin)


def _check_may_change(admin: Administration) -> None:
    """Before a form is filled in, rather than after. Raises Forbidden, SecondFactorNeeded."""
    if not company_providers.may_change(admin):
        raise Forbidden("no account admin of the company's own")
    admin.check_second_factor()


def _filled() -> Filled:
    form = request.form
    fields: dict[str, Any] = {name: form.get(name, "") for name in Filled._fields}
    fields |= {"is_only_way": "is_only_way" in form, "left_out": form.getlist("left_out")}
    return Filled(**fields)


def _list_page(admin: Administration, refusal: PageRefusal | None = None) -> str:
    shown = company_providers.listing(admin)
    return shell.tenant_page(
        admin,
        "manage/identity_providers.html",
        providers=shown,
        domains=company_providers.routable(admin),
        may_change=company_providers.may_change(admin),
        is_full=len(shown) >= company_providers.MAX_PROVIDERS,
        **_told(refusal),
    )


def _page(admin: Administration, provider_id: str, refusal: PageRefusal | None = None) -> str:
    shown = company_providers.get(admin, provider_id)
    return shell.tenant_page(
        admin,
        "manage/identity_provider.html",
        shown=shown,
        provider=shown.provider,
        is_open_to_all=is_open_to_all(shown.provider.issuer, shown.provider.hosted_domain),
        return_uri=return_uri(provider().settings.issuer, provider_id),
        linked=provider_changes.linked(admin, shown),
        may_change=company_providers.may_change(admin),
        **_told(refusal),
    )


def _form_page(
    admin: Administration,
    shown: Shown | None,
    filled: Filled,
    refusal: PageRefusal | None = None,
) -> str:
    """What was typed is kept, but for the secret."""
    so_far = {each.id for each in shown.left_out} if shown else set()
    is_typed = isinstance(refusal, Mistake) or shown is None
    return shell.tenant_page(
        admin,
        "manage/identity_provider_form.html",
        shown=shown,
        filled=filled._asdict(),
        left_out=set(filled.left_out) if is_typed else so_far,
        people=company_providers.to_leave_out(admin, shown),
        roles=company_providers.to_admit_with(admin),
        **_told(refusal),
    )


def _stop_page(
    admin: Administration,
    provider_id: str,
    refusal: PageRefusal | None = None,
    *,
    is_removal: bool,
) -> str:
    shown = company_providers.get(admin, provider_id)
    _check_may_change(admin)
    return shell.tenant_page(
        admin,
        "manage/identity_provider_stop.html",
        shown=shown,
        provider=shown.provider,
        linked=provider_changes.linked(admin, shown),
        is_removal=is_removal,
        **_told(refusal),
    )


def _told(refusal: PageRefusal | None) -> dict[str, Any]:
    if isinstance(refusal, Mistake):
        return {"error": None, "errors": shell.errors_of(refusal)}
    return {"error": _(refusal.public_message) if refusal else None, "errors": {}}


def _done(admin: Administration, changed: CompanyProvider, sentence: str) -> Response:
    flash(sentence)
    return _back(admin, f"/{changed.id}")


def _back(admin: Administration, where: str = "") -> Response:
    return redirect(f"/manage/{admin.tenant.slug}/identity-providers{where}", 303)
