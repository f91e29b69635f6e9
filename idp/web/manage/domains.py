"""Verified domains: what to set in the DNS, whether it is there, and taking a domain away."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import domain_looks, domains
from idp.directory.acting import Administration, Mistake
from idp.web.context import provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_domains", __name__)

Answer = Response | str | tuple[str, int]


@blueprint.get("/manage/<tenant>/domains")
@guard.administers()
def listing(admin: Administration) -> str:
    return _list_page(admin)


@blueprint.post("/manage/<tenant>/domains")
@guard.administers()
def add(admin: Administration) -> Answer:
    try:
        domain = domains.add(admin, request.form.get("domain", ""))
    except Mistake as mistake:
        return _list_page(admin, shell.errors_of(mistake)), mistake.status
    return _to(admin, domain.id)


@blueprint.get("/manage/<tenant>/domains/<domain_id>")
@guard.administers()
def show(admin: Administration, domain_id: str) -> str:
    return _page(admin, domain_id)


@blueprint.post("/manage/<tenant>/domains/<domain_id>")
@guard.administers()
def check(admin: Administration, domain_id: str) -> Answer:
    held = provider()
    try:
        outcome = domain_looks.check(admin, held.settings, held.clock, domain_id)
    except Mistake as mistake:
        return _page(admin, domain_id, shell.errors_of(mistake)), mistake.status
    if outcome == domains.FOUND:
        flash(_("The record is there: this domain is verified for your company."))
    return _to(admin, domain_id)


@blueprint.get("/manage/<tenant>/domains/<domain_id>/remove")
@guard.administers(recent=True)
def ask_to_remove(admin: Administration, domain_id: str) -> str:
    return _removal_page(admin, domain_id)


@blueprint.post("/manage/<tenant>/domains/<domain_id>/remove")
@guard.administers()
def remove(admin: Administration, domain_id: str) -> Answer:
    try:
        domain = domains.remove(admin, domain_id)
    except Mistake as mistake:
        return _removal_page(admin, domain_id, shell.errors_of(mistake)), mistake.status
    flash(_("%(domain)s is removed.", domain=domain.shown))
    return redirect(url_for("manage_domains.listing", tenant=admin.tenant.slug), 303)


def _removal_page(
    admin: Administration, domain_id: str, errors: dict[str, str] | None = None
) -> str:
    return shell.tenant_page(
        admin,
        "manage/domain_removal.html",
        domain=domains.get(admin, domain_id),
        provider_id=domains.provider_of(admin, domain_id),
        errors=errors or {},
    )


def _list_page(admin: Administration, errors: dict[str, str] | None = None) -> str:
    return shell.tenant_page(
        admin,
        "manage/domains.html",
        domains=domains.listing(admin),
        typed=request.form.get("domain", ""),
        error=None,
        errors=errors or {},
    )


def _page(admin: Administration, domain_id: str, errors: dict[str, str] | None = None) -> str:
    domain = domains.get(admin, domain_id)
    return shell.tenant_page(
        admin,
        "manage/domain.html",
        domain=domain,
        told=_told(domain.outcome),
        error=None,
        errors=errors or {},
    )


def _told(outcome: str | None) -> str | None:
    """What the last look found, and what to do about it."""
    words = {
        "wrong": _("There are other TXT records, and not this one. Compare the text."),
        "missing": _("There is no such record. A new one can take an hour to be seen."),
        "alias": _("There is an alias (CNAME) at this name. Set a TXT record of its own."),
        "too many": _("There are too many records at this name. Take the others away."),
        "unanswered": _("The nameservers of this domain did not answer. Try again later."),
        "taken": _("The record is there, but another company has verified this domain already."),
    }
    return words.get(outcome or "")


def _to(admin: Administration, domain_id: str) -> Response:
    return redirect(
        url_for("manage_domains.show", tenant=admin.tenant.slug, domain_id=domain_id), 303
    )
