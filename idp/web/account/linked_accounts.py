"""Unlinking an account at another provider: it signs nobody in any more."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import identity_providers
from idp.directory.identity_providers import Named
from idp.errors import PageRefusal, told
from idp.federation import linked_accounts
from idp.federation.linked_accounts import Linked
from idp.login import linking
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.context import now, origin, provider

blueprint = Blueprint("account_linked", __name__)

ADDRESS = "/account/security/linked/<linked_id>"


@blueprint.get(ADDRESS)
@guard.proven_anew
def ask(session: BrowserSession, linked_id: str) -> str:
    found = _to_unlink(session, linked_id)
    return shell.page(session, "account/unlink.html", linked=found, provider=known_as(found))


@blueprint.post(ADDRESS)
@guard.proven_anew
def unlink(session: BrowserSession, linked_id: str) -> Response:
    _to_unlink(session, linked_id)
    with provider().database.transaction() as db:
        if not linking.unlink(db, session, linked_id, now(), origin()):
            raise _not_theirs()
    flash(_("It is unlinked, and signs you in no more."))
    return redirect("/account/security", 303)


def known_as(linked: Linked) -> Named:
    """By its key where the provider is gone."""
    with provider().database.connection() as db:
        found = identity_providers.named(db, linked.provider_key)
    return found or Named(linked.provider_key, is_companys=False)


def _to_unlink(session: BrowserSession, linked_id: str) -> Linked:
    """Raises PageRefusal."""
    with provider().database.connection() as db:
        theirs = linked_accounts.of_person(db, session.user_id)
    found = next((each for each in theirs if each.id == linked_id), None)
    if found is None:
        raise _not_theirs()
    if found.is_held:
        sentence = told("Your company decides about it. Ask an account admin there.")
        raise PageRefusal("forbidden", sentence, "the link is their company's", 403)
    return found


def _not_theirs() -> PageRefusal:
    sentence = told("That is not among your ways to sign in any more.")
    return PageRefusal("not_found", sentence, "no linked account of theirs", 404)
