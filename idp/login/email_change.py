"""Another e-mail address for an account (security.md S58, S59).

The new one has to prove itself by a link that is mailed to it; until then the old one stays, and
works. The link alone does nothing: its account has to be signed in, so that an address with a typo
in it hands nothing to a stranger. Whoever has it is not told whether another account has the new
address: that one is written to, and the link never works.

The old address is told, with a link that gives it back (`email_undo.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit, limits, outbox
from idp.audit import Origin
from idp.database import Connection, Database
from idp.directory import homes, letters, users
from idp.directory.upstream_providers import IdentityProviders
from idp.directory.users import Person, User, canonical_email
from idp.errors import PageRefusal, Refusal, told
from idp.login import email_move, email_undo
from idp.login.email_move import EmailChange, LinkOver
from idp.login.email_undo import UNDO_DAYS
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint, new_id, new_secret

HOUR, DAY = 3600.0, 86400.0
LIFETIME = HOUR
HELD = told("You sign in with your company by this address. Ask an admin there about it.")
MOST = ((5, HOUR), (10, DAY))  # letters that one person has us send


class EmailMistake(Refusal):
    """`sentence` says to the person what is wrong with the address."""

    def __init__(self, sentence: str) -> None:
        super().__init__("invalid_request", sentence, "a new address was not taken")
        self.sentence = sentence


class AddressHeld(PageRefusal):
    """It has come to be what leads to their company."""

    def __init__(self) -> None:
        super().__init__("address_held", HELD, "the address is the company's by now", 403)


class Waiting(NamedTuple):
    new_email: str
    expires_at: float


_TABLE: Any = EmailChange.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
_IS_MINE_AND_OPEN = (*email_move.WAITS, _TABLE.c.expires_at > _NOW)
_IS_THIS = (_TABLE.c.token_hash == sa.bindparam("hashed"), *_IS_MINE_AND_OPEN)
_NAMES = ("id", "user_id", "old_email", "new_email", "token_hash", "created_at", "expires_at")
_INSERT = sa.insert(_TABLE).values({name: sa.bindparam(name) for name in _NAMES})
_WAITING = sa.select(_TABLE.c.new_email, _TABLE.c.expires_at).where(*_IS_MINE_AND_OPEN)
_LOOK = sa.select(_TABLE.c.new_email).where(*_IS_THIS)
_CONFIRM = (
    sa.update(_TABLE)
    .where(*_IS_THIS)
    .values(
        confirmed_at=_NOW,
        undo_hash=sa.bindparam("undo_hash"),
        undo_until=sa.bindparam("undo_until", type_=sa.Double),
    )
    .returning(_TABLE.c.old_email, _TABLE.c.new_email)
)


def ask(
    database: Database,
    keys: SecretKeys,
    providers: IdentityProviders,
    user_id: str,
    claimed: str,
    now: float,
    origin: Origin,
) -> None:
    """Mail a link to the new address, in the one form that is kept: another spelling may be another
    mailbox (S59). It replaces the last one. The caller has seen that the person
    is recently proven. Raises EmailMistake."""
    canonical, secret = canonical_email(claimed), new_secret()
    with database.transaction() as db:
        person = users.find_person(db, user_id)
        assert person
        if canonical is None:
            raise EmailMistake(told("Enter an e-mail address."))
        if canonical == canonical_email(person.email):
            raise EmailMistake(told("This is your address already."))
        if _is_held(db, providers, person):
            raise EmailMistake(HELD)
        _take_room(db, keys, user_id, canonical, now)
        email_move.withdraw(db, user_id, now)
        db.run(
            _INSERT,
            id=new_id(),
            user_id=user_id,
            old_email=person.email,
            new_email=canonical,
            token_hash=fingerprint(secret),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        _post_link(db, keys, canonical, secret, person.locale, now)
        audit.record(db, "email.change_asked", now, origin, actor=user_id, email=canonical)


def _is_held(db: Connection, providers: IdentityProviders, person: Person) -> bool:
    """By the company whose own provider is the only way in for addresses of this domain: who could
    change theirs would come in by another way."""
    upstream = providers.only_way_of(person.id, person.email)
    return upstream is not None and homes.is_at_home(db, person.id, upstream.tenant_id)


def _take_room(db: Connection, keys: SecretKeys, user_id: str, canonical: str, now: float) -> None:
    """Of the address's, whoever asks, and of the person's own. They are no invitations: anybody has
    an account, and whom a company invites would be out of its reach. Raises EmailMistake."""
    rations = [
        *letters.to_address(keys, "email changes to", canonical, letters.TO_AN_ADDRESS),
        *((f"email changes:{w:.0f}:{user_id}", most, w) for most, w in MOST),
    ]
    if limits.take_each(db, now, rations) is not None:
        raise EmailMistake(told("That is as many letters as we send. Try again tomorrow."))


def _post_link(
    db: Connection,
    keys: SecretKeys,
    canonical: str,
    secret: str,
    locale: str,
    now: float,
) -> None:
    """To whoever has an account with the address, that somebody wanted it; else the link."""
    sealed = keys.encrypt(f"/account/email/confirm?token={secret}".encode(), LETTER_SECRET)
    owner = users.find_by_email(db, canonical)
    letter = {"template": "email_link", "to": canonical, "name": "", "locale": locale}
    letter["sealed_link"] = sealed
    if owner:
        letter = {"template": "email_taken", "to": owner.email, "name": owner.name}
        letter["locale"] = owner.locale
    outbox.enqueue(db, outbox.LETTER, letter, now)


def waiting(db: Connection, user_id: str, now: float) -> Waiting | None:
    row = db.row(_WAITING, owner_id=user_id, now=now)
    return Waiting._make(row) if row else None


def withdraw(database: Database, user_id: str, now: float) -> None:
    """Its link is dead."""
    with database.connection() as db:
        email_move.withdraw(db, user_id, now)


def look(db: Connection, user_id: str, claimed_token: str, now: float) -> str:
    """The new address, to who is signed in. Changes nothing. Raises LinkOver."""
    row = db.row(_LOOK, hashed=fingerprint(claimed_token), owner_id=user_id, now=now)
    if row is None:
        raise LinkOver
    return str(row[0])


def confirm(
    database: Database,
    keys: SecretKeys,
    providers: IdentityProviders,
    user_id: str,
    claimed_token: str,
    now: float,
    origin: Origin,
) -> str:
    """The new address is the account's from now on; it is returned. Raises LinkOver,
    AddressHeld."""
    undo = new_secret()
    with database.session() as rows:
        db = Connection.of(database, rows)
        link = {"hashed": fingerprint(claimed_token), "owner_id": user_id, "now": now}
        until = now + UNDO_DAYS * DAY
        look(db, user_id, claimed_token, now)
        person = users.find_person(db, user_id)
        if person is None or _is_held(db, providers, person):
            raise AddressHeld
        spent = db.row(_CONFIRM, **link, undo_hash=fingerprint(undo), undo_until=until)
        if spent is None:
            raise LinkOver
        old, new = map(str, spent)
        is_as_it_was = User.email_canonical == canonical_email(old)
        if not email_move.move(rows, db, user_id, new, now, is_as_it_was):
            raise LinkOver("another account has the address, or this one got another meanwhile")
        before, after = canonical_email(old), canonical_email(new)
        audit.record(db, "email.changed", now, origin, actor=user_id, before=before, after=after)
        is_way_back = email_undo.end_by_a_way_back(db, user_id, new, now)
        _tell_old(db, keys, user_id, old, new, "" if is_way_back else undo, now)
    return new


def _tell_old(
    db: Connection, keys: SecretKeys, user_id: str, old: str, new: str, undo: str, now: float
) -> None:
    """With the link, if `undo` is one."""
    person = users.find_person(db, user_id)
    assert person
    letter = {"template": "email_changed", "to": old, "name": person.name, "at": now}
    letter |= {"locale": person.locale, "new_email": new, "days": UNDO_DAYS}
    if undo:
        link = f"/account/email/undo?token={undo}".encode()
        letter["sealed_link"] = keys.encrypt(link, LETTER_SECRET)
    outbox.enqueue(db, outbox.LETTER, letter, now)
