"""Unlinking an account at another provider: it signs nobody in any more."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.errors import PageRefusal, told
from idp.federation import linked_accounts
from idp.federation.linked_accounts import Linked
from idp.login import linking
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.context import identity_providers, now, origin, provider

blueprint = Blueprint("account_linked", __name__)

ADDRESS = "/account/security/linked/<linked_id>"


@blueprint.get(ADDRESS)
@guard.proven_anew
def ask(session: BrowserSession, linked_id: str) -> str:
    found = next((each for each in _theirs(session) if each.id == linked_id), None)
    if found is None:
        raise _not_theirs()
    return shell.page(session, "account/unlink.html", linked=found, name=name_of(found))


@blueprint.post(ADDRESS)
@guard.proven_anew
def unlink(session: BrowserSession, linked_id: str) -> Response:
    with provider().database.transaction() as db:
        if not linking.unlink(db, session, linked_id, now(), origin()):
            raise _not_theirs()
    flash(_("It is unlinked, and signs you in no more."))
    return redirect("/account/security", 303)


def name_of(linked: Linked) -> str:
    """Of the provider, or its key where it is gone."""
    upstream = identity_providers().find(linked.provider_key)
    return upstream.name if upstream else linked.provider_key


def _theirs(session: BrowserSession) -> list[Linked]:
    with provider().database.connection() as db:
        return linked_accounts.of_person(db, session.user_id)


def _not_theirs() -> PageRefusal:
    sentence = told("That is not among your ways to sign in any more.")
    return PageRefusal("not_found", sentence, "no linked account of theirs", 404)
