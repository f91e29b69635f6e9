"""Settings > User authentication > Multi-factor: who has to enrol, by what, and for which product
(product.md M1, M3, M7).

What is not saved yet travels in the form, sealed, from page to page of the list; nothing is saved
that was not previewed (N1).
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Administration, Changed, Mistake
from idp.directory.memberships import KINDS
from idp.directory.paging import CursorRefused
from idp.directory.people import Wanted
from idp.errors import SetupMistake
from idp.policies import second_factor_policy, second_factor_selection, second_factor_terms
from idp.policies.mfa import METHODS, Mode
from idp.policies.second_factor_policy import Proposal
from idp.policies.second_factor_selection import Pick, Picks, Rows
from idp.web.context import provider
from idp.web.manage import guard, shell
from idp.web.manage.people import KINDS as KIND_WORDS
from idp.web.manage.people import STATUSES
from idp.web.requirement_words import METHOD_WORDS

blueprint = Blueprint("manage_multi_factor", __name__)

ADDRESS = "/manage/<tenant>/multi-factor"
MEMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")

Answer = Response | str | tuple[str, int]


@blueprint.get("/manage/<tenant>/settings")
@guard.administers()
def settings(admin: Administration) -> str:
    admin.check(second_factor_policy.PERMISSION)
    return shell.tenant_page(admin, "manage/settings.html")


@blueprint.get(ADDRESS)
@guard.administers()
def show(admin: Administration) -> str:
    return _page(admin)


@blueprint.post(f"{ADDRESS}/people")
@guard.administers(reading=True)
def choose(admin: Administration) -> Answer:
    """What is checked on one page is kept on the next; `do` says what was pressed."""
    picks, pressed = _kept(admin, "picks").picks, request.form.get("do", "show")
    try:
        for pick in _changed():
            picks = second_factor_selection.added(picks, pick)
        if pressed in ("all", "none"):
            pick = Pick(pressed == "all", wanted=_wanted())
            picks = second_factor_selection.added(picks, pick)
    except Mistake as mistake:
        return _page(admin, picks=picks, errors=shell.errors_of(mistake)), mistake.status
    if pressed == "save":
        return _preview(admin, Proposal(picks=picks))
    return _page(admin, picks=picks)


@blueprint.post(f"{ADDRESS}/policy")
@guard.administers(reading=True)
def state(admin: Administration) -> Answer:
    form = request.form
    wanted = form.getlist("product")
    try:
        terms = second_factor_policy.claimed_terms(
            admin,
            {kind: form.get(kind, "") for kind in KINDS},
            form.getlist("method"),
            {key: form.get(f"minutes-{key}", "").strip() for key in wanted},
            password_after_enrolment="password_again" in form,
            reset_needs_second_admin="second_admin" in form,
        )
    except Mistake as mistake:
        return _page(admin, errors=shell.errors_of(mistake)), mistake.status
    return _preview(admin, Proposal(terms))


@blueprint.post(f"{ADDRESS}/recommended")
@guard.administers(reading=True)
def recommend(admin: Administration) -> Answer:
    terms = second_factor_policy.terms(admin)
    return _preview(admin, Proposal(second_factor_terms.recommended(terms)))


@blueprint.post(f"{ADDRESS}/preview")
@guard.administers(reading=True)
def show_more(admin: Administration) -> Answer:
    """The next page of a preview."""
    return _preview(admin, _kept(admin, "proposal"))


@blueprint.post(f"{ADDRESS}/save")
def save(tenant: str) -> Any:
    """What has to be previewed again is, after the transaction of the change."""
    try:
        return _save(tenant=tenant)
    except Changed as refusal:
        return _show_anew(tenant=tenant, status=refusal.status)


@guard.administers(reading=True)
def _show_anew(admin: Administration, status: int) -> Answer:
    error = _("This is not what was shown any more. Look again, and confirm it anew.")
    return _preview(admin, _kept(admin, "proposal"), error), status


@guard.administers()
def _save(admin: Administration) -> Answer:
    proposal = _kept(admin, "proposal")
    second_factor_policy.save(admin, proposal, request.form.get("confirmed", ""))
    flash(_("It is saved, and counts from the next sign-in on."))
    return redirect(f"/manage/{admin.tenant.slug}/multi-factor", 303)


def _page(admin: Administration, *, picks: Picks = (), errors: dict[str, str] | None = None) -> str:
    wanted = _wanted()
    terms = second_factor_policy.terms(admin)
    return shell.tenant_page(
        admin,
        "manage/multi_factor.html",
        rows=_rows(admin, wanted, picks),
        wanted=wanted,
        is_narrowed=wanted != Wanted(),
        has_picks=bool(picks),
        picks=_sealed(admin, Proposal(picks=picks)),
        terms=terms,
        gap=second_factor_policy.gap(admin),
        products=second_factor_policy.products(admin),
        errors=errors or {},
        **_words(),
    )


def _rows(admin: Administration, wanted: Wanted, picks: Picks) -> Rows:
    """From the start where somebody looks for other people on the way."""
    cursor, keys = request.args.get("after", ""), provider().secret_keys
    try:
        return second_factor_policy.members(admin, keys, wanted, picks, cursor)
    except CursorRefused:
        return second_factor_policy.members(admin, keys, wanted, picks)


def _preview(admin: Administration, proposal: Proposal, error: str | None = None) -> str:
    """What would change is worked out each time; the digest that confirms it goes with it."""
    cursor = request.args.get("after", "")
    previewed = second_factor_policy.preview(admin, provider().secret_keys, proposal, cursor)
    return shell.tenant_page(
        admin,
        "manage/multi_factor_preview.html",
        previewed=previewed,
        preview=previewed.preview,
        proposal=_sealed(admin, proposal),
        products={each.key: each for each in second_factor_policy.products(admin)},
        error=error,
        **_words(),
    )


def _words() -> dict[str, Any]:
    modes = {
        Mode.OFF: _("Off"),
        Mode.SELECTED: _("Selected people"),
        Mode.OPTIONAL: _("Optional: asked, and may skip"),
        Mode.REQUIRED: _("Required"),
    }
    return {
        "modes": modes,
        "kinds": KIND_WORDS,
        "statuses": STATUSES,
        "methods": {each: METHOD_WORDS[each] for each in METHODS},
    }


def _wanted() -> Wanted:
    return Wanted(**{name: request.values.get(name, "").strip() for name in Wanted._fields})


def _changed() -> list[Pick]:
    """What was checked and unchecked on the page that was sent."""
    was, now = (
        {each for each in request.form.getlist(name) if MEMBER.fullmatch(each)}
        for name in ("was", "member")
    )
    picked = ((True, now - was), (False, was - now))
    return [Pick(selected, tuple(sorted(ids))) for selected, ids in picked if ids]


def _sealed(admin: Administration, proposal: Proposal) -> str:
    text = orjson.dumps(second_factor_policy.to_json(proposal))
    return provider().secret_keys.encrypt(text, _purpose(admin))


def _kept(admin: Administration, name: str) -> Proposal:
    """Of the field. Raises CursorRefused for what is none of ours, or another company's."""
    sealed = request.form.get(name, "")
    try:
        text = provider().secret_keys.decrypt(sealed, _purpose(admin))
    except SetupMistake:
        raise CursorRefused from None
    return second_factor_policy.from_json(orjson.loads(text))


def _purpose(admin: Administration) -> str:
    return f"second factor proposal of {admin.tenant.id}"
