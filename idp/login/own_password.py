"""Changing one's own password, signed in: a link in the mail, and the old one (product.md P6).

The link proves that the address is still theirs, the old password that it is they. What was open
elsewhere ends; the session that changed it goes on, by another secret.
"""

from __future__ import annotations

from collections.abc import Iterable

from idp import limits, outbox
from idp.audit import Origin
from idp.credentials import password, password_links
from idp.credentials.hashing import PasswordHasher
from idp.credentials.password_links import CHANGE, LIFETIME_MINUTES
from idp.database import Database
from idp.directory import users
from idp.directory.users import canonical_email
from idp.errors import PageRefusal, told
from idp.login import new_password
from idp.policies import assurance
from idp.policies.assurance import PASSWORD
from idp.secret_values import SecretKeys
from idp.sessions import browser
from idp.sessions.browser import BrowserSession, Evidence, Started
from idp.settings import Settings

OF_A_PERSON = ((1, 60.0), (5, 3600.0), (10, 86400.0))


class LinkOver(PageRefusal):
    """Also somebody else's, or one from before the password was changed."""

    def __init__(self) -> None:
        super().__init__(
            "change_link_over",
            told("This link can't be used any more. Ask for a new one on your account page."),
            "no such link of theirs",
            404,
        )


def send_link(database: Database, keys: SecretKeys, session: BrowserSession, now: float) -> bool:
    """False where the last one was asked for just now, or there were too many."""
    rations = [
        (f"change links:{window:.0f}:{session.user_id}", most, window)
        for most, window in OF_A_PERSON
    ]
    with database.transaction() as db:
        person = users.find_person(db, session.user_id)
        if person is None or limits.take_each(db, now, rations) is not None:
            return False
        whose = (keys, person.id, canonical_email(person.email) or "", CHANGE)
        link = password_links.make(db, *whose, "/account/password/", now)
        letter = {"template": "password_change", "to": person.email, "name": person.name}
        letter |= {"locale": person.locale, "sealed_link": link}
        about = {"minutes": LIFETIME_MINUTES, "expires_at": now + LIFETIME_MINUTES * 60.0}
        outbox.enqueue(db, outbox.CODE, {**letter, **about}, now)
    return True


def check_link(database: Database, session: BrowserSession, claimed_token: str, now: float) -> None:
    """Changes nothing. Raises LinkOver."""
    with database.connection() as db:
        opened = password_links.look(db, claimed_token, CHANGE, now)
    if opened is None or opened.user_id != session.user_id:
        raise LinkOver


def change(
    database: Database,
    hasher: PasswordHasher,
    keys: SecretKeys,
    settings: Settings,
    product_names: Iterable[str],
    session: BrowserSession,
    claimed_token: str,
    claimed_current: str,
    claimed_new: str,
    claimed_device: str,
    now: float,
    origin: Origin,
) -> Started | None:
    """The session, with its new secret; None if it has ended meanwhile. Whoever has a password
    proves it first, by the counter of the sign-in. Raises LinkOver, SignInRefused, Unfit,
    TooManyTries, or Busy."""
    check_link(database, session, claimed_token, now)
    with database.connection() as db:
        owner = new_password.owner_of(db, session.user_id)
        has_password = password.find_hash(db, owner.id) is not None
    if has_password:
        whose = (database, hasher, keys, settings, owner.email, claimed_current)
        password.verify(*whose, now, origin, claimed_device)
    asked = (database, hasher, settings, owner, product_names, claimed_new, claimed_current)
    prepared = new_password.prepare(*asked)
    try:
        with database.transaction() as db:
            if password_links.spend(db, claimed_token, CHANGE, now) is None:
                raise LinkOver
            about = (db, keys, owner, prepared, now, origin)
            new_password.keep(*about, keep_session_id=session.id)
            changed = users.find_person(db, owner.id)
            assert changed
            proofs = assurance.from_text(session.proofs)
            if has_password:
                proofs = {**proofs, PASSWORD: assurance.Proof(changed.sessions_valid_after)}
            absolute = settings.session_absolute_lifetime
            evidence = Evidence(owner.id, proofs)
            return browser.renew(db, session.id, evidence, absolute, now, origin, is_whole=False)
    except new_password.Lost:
        raise LinkOver from None
