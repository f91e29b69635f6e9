"""One member of a company: what they are and hold here, where they are signed in, what happened."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from idp import explanation
from idp.credentials import unlocking
from idp.directory import history, person
from idp.directory.acting import Administration, Mistake
from idp.directory.person import Member
from idp.grants import factor_reset, factor_unlinking, membership, reset_requests
from idp.web import requirement_words
from idp.web.audit_words import WORDS, client_name
from idp.web.browsers import browser_name
from idp.web.context import catalog, provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_person", __name__)

LATEST = 5
ADDRESS = "/manage/<tenant>/people/<member>"

Answer = Response | str | tuple[str, int]
Change = Callable[[Administration, str], Answer]


def _mistakes_on_the_page(change: Change) -> Change:
    @wraps(change)
    def told(admin: Administration, member: str) -> Answer:
        try:
            return change(admin, member)
        except Mistake as mistake:
            return _page(admin, person.member(admin, member), mistake.errors), mistake.status

    return told


@blueprint.get(ADDRESS)
@guard.administers()
def show(admin: Administration, member: str) -> str:
    return _page(admin, person.member(admin, member))


@blueprint.get(f"{ADDRESS}/history")
@guard.administers()
def show_history(admin: Administration, member: str) -> str:
    cursor = request.args.get("after", "")
    page = history.of_person(admin, provider().secret_keys, member, cursor)
    someone = person.find_member(admin, member)
    return shell.tenant_page(
        admin,
        "manage/person_history.html",
        person=someone,
        name=_name(someone),
        page=page,
        words=WORDS,
        client_name=client_name,
    )


@blueprint.post(f"{ADDRESS}/roles")
@guard.administers()
@_mistakes_on_the_page
def change_roles(admin: Administration, member: str) -> Answer:
    """`shown` are the roles that the form was drawn with; what differs from them is the change."""
    shown, wanted = set(request.form.getlist("shown")), set(request.form.getlist("role"))
    changed = person.change_roles(admin, member, wanted - shown, shown - wanted)
    flash(_("The roles have been changed.") if changed else _("Nothing was changed."))
    return _back(admin, member)


@blueprint.get(f"{ADDRESS}/disable")
@guard.administers(recent=True)
def confirm_disabling(admin: Administration, member: str) -> str:
    admin.check("people.manage")
    return shell.tenant_page(
        admin, "manage/person_disable.html", person=person.member(admin, member)
    )


@blueprint.post(f"{ADDRESS}/disable")
@guard.administers()
@_mistakes_on_the_page
def disable(admin: Administration, member: str) -> Answer:
    membership.disable(admin, member)
    flash(
        _("%(name)s can open nothing here any more.", name=_name(person.find_member(admin, member)))
    )
    return _back(admin, member)


@blueprint.post(f"{ADDRESS}/enable")
@guard.administers()
@_mistakes_on_the_page
def enable(admin: Administration, member: str) -> Answer:
    membership.enable(admin, member)
    name = _name(person.find_member(admin, member))
    flash(_("%(name)s can work here again.", name=name))
    return _back(admin, member)


@blueprint.post(f"{ADDRESS}/unlock")
@guard.administers()
@_mistakes_on_the_page
def unlock(admin: Administration, member: str) -> Answer:
    unlocking.unlock(admin, member)
    name = _name(person.find_member(admin, member))
    flash(_("%(name)s can sign in again.", name=name))
    return _back(admin, member)


@blueprint.post(f"{ADDRESS}/sessions")
@guard.administers()
def end_sessions(admin: Administration, member: str) -> Response:
    """`session` names one; without it, all end."""
    ended = membership.end_sessions(admin, member, _idle(), request.form.get("session"))
    flash(ngettext("%(num)s session has ended.", "%(num)s sessions have ended.", ended))
    return _back(admin, member)


def _page(admin: Administration, someone: Member, errors: dict[str, str] | None = None) -> str:
    roles = person.offered_roles(admin, someone)
    waits = reset_requests.find(admin, someone.id)
    return shell.tenant_page(
        admin,
        "manage/person.html",
        person=someone,
        name=_name(someone),
        roles=roles,
        may_give=any(role.may_change for role in roles),
        may_manage=admin.may(someone.managed_by),
        is_oneself=someone.user_id == admin.actor.user_id,
        locked_until=unlocking.locked_until(admin, someone),
        explained=explanation.to_admin(provider(), admin, someone),
        may_reset=factor_unlinking.may_unlink(admin, someone),
        waits=waits,
        may_approve=waits is not None and factor_reset.may_approve(admin, waits),
        next_words=requirement_words.next_words(),
        reasons=requirement_words.reasons,
        methods=requirement_words.methods,
        freshness=requirement_words.freshness,
        owned_words=requirement_words.OWNED_WORDS,
        sessions=_sessions(admin, someone),
        sign_outs=_sign_outs(admin, someone),
        history=_latest(admin, someone),
        words=WORDS,
        client_name=client_name,
        errors={field: _(sentence) for field, sentence in (errors or {}).items()},
    )


def _back(admin: Administration, member: str) -> Response:
    return redirect(f"/manage/{admin.tenant.slug}/people/{member}", 303)


def _sessions(admin: Administration, someone: Member) -> list[dict[str, Any]]:
    known = catalog().products
    return [
        {
            **session._asdict(),
            "browser": browser_name(session.user_agent),
            "products": [known[key] for key in session.products if key in known],
        }
        for session in membership.open_sessions(admin, someone, _idle())
    ]


def _sign_outs(admin: Administration, someone: Member) -> list[dict[str, Any]]:
    return [
        {**each._asdict(), "browser": browser_name(each.user_agent)}
        for each in membership.sign_outs(admin, someone)
    ]


def _latest(admin: Administration, someone: Member) -> history.Page | None:
    """None for who may not read the log."""
    if not admin.may("audit.read"):
        return None
    return history.of_person(admin, provider().secret_keys, someone.id, size=LATEST)


def _idle() -> float:
    return provider().settings.session_idle_lifetime


def _name(someone: Member) -> str:
    return someone.name or someone.email
