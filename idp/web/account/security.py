"""How one signs in: address, password, second factors; taking one away, and naming a key."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp import situation
from idp.credentials import factors, passkeys, recovery_codes
from idp.credentials.enrolled import Factor
from idp.errors import PageRefusal, told
from idp.federation import linked_accounts
from idp.login.next_step import required
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.account.linked_accounts import known_as
from idp.web.context import now, origin, provider

blueprint = Blueprint("account_security", __name__)

NAMED = (passkeys.PASSKEY, passkeys.SECURITY_KEY)


@blueprint.get("/account/security")
@guard.signed_in
def show(session: BrowserSession) -> str:
    with provider().database.connection() as db:
        enrolled = factors.enrolled(db, session.user_id)
        left = recovery_codes.left(db, session.user_id)
        linked = linked_accounts.of_person(db, session.user_id)
    return shell.page(
        session,
        "account/security.html",
        password_changed=session.password_changed_at,
        factors=[each for each in enrolled if each.method != recovery_codes.METHOD],
        left=left,
        named=NAMED,
        linked=[(each, known_as(each).name) for each in linked],
        sends_texts=provider().settings.sends_texts,
        takes_keys=bool(provider().settings.relying_party_id),
    )


@blueprint.get("/account/security/<factor>/remove")
@guard.proven_anew
def ask_removal(session: BrowserSession, factor: str) -> str:
    """What it will mean is said before it is done."""
    found, others = _own(session, factor)
    is_last = found.method != recovery_codes.METHOD and not others
    who_demands = _who_demands(session) if is_last else []
    return shell.page(
        session,
        "account/factor_remove.html",
        factor=found,
        is_last=is_last,
        who_demands=who_demands,
    )


@blueprint.post("/account/security/<factor>/remove")
@guard.proven_anew
def remove(session: BrowserSession, factor: str) -> Response:
    with provider().database.transaction() as db:
        if not factors.remove(db, session.user_id, factor, now(), origin()):
            raise _not_theirs()
    flash(_("It is removed, and proves nothing any more."))
    return redirect("/account/security", 303)


@blueprint.get("/account/security/<factor>/name")
@guard.proven_anew
def ask_name(session: BrowserSession, factor: str) -> str:
    found, _others = _own(session, factor)
    if found.method not in NAMED:
        raise _not_theirs()
    return shell.page(session, "account/factor_name.html", factor=found)


@blueprint.post("/account/security/<factor>/name")
@guard.proven_anew
def name(session: BrowserSession, factor: str) -> Response:
    label = request.form.get("label", "")
    with provider().database.transaction() as db:
        if not passkeys.rename(db, session.user_id, factor, label, now(), origin()):
            raise _not_theirs()
    flash(_("The new name is saved."))
    return redirect("/account/security", 303)


def _own(session: BrowserSession, claimed_id: str) -> tuple[Factor, list[Factor]]:
    """It, and what else there is besides recovery codes. Raises PageRefusal."""
    with provider().database.connection() as db:
        enrolled = factors.enrolled(db, session.user_id)
    found = next((each for each in enrolled if each.id == claimed_id), None)
    if found is None:
        raise _not_theirs()
    return found, [
        each for each in enrolled if each.method != recovery_codes.METHOD and each is not found
    ]


def _not_theirs() -> PageRefusal:
    sentence = told("That is not among your ways to sign in any more.")
    return PageRefusal("not_found", sentence, "no factor of theirs", 404)


def _who_demands(session: BrowserSession) -> list[Any]:
    """Names of the companies that will ask for another one at the next sign-in."""
    asked = situation.asked_by_account(None, own_level=False)
    with provider().database.connection() as db:
        entries = situation.at_page(provider(), db, session, asked, now()).entries
    return sorted({each.tenant_name for each in required(asked, entries).demands} - {""})
