"""Another e-mail address for an account (security.md S58, S59).

The new one has to prove itself by a link that is mailed to it; until then the old one stays, and
works. The link alone does nothing: its account has to be signed in, so that an address with a typo
in it hands nothing to a stranger. Whoever has it is not told whether another account has the new
address: that one is written to, and the link never works.

The old address is told, with a link that gives it back for a week. It is good whatever happened to
the account since, so that whoever took it over can't be rid of it by changing again; and it makes
worthless all links that were sent since, which are in the hands of whoever did, and the password
that was set since or waits in the other mailbox.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp import audit, limits, outbox
from idp.audit import Origin
from idp.credentials import password, temporary_passwords
from idp.credentials.sent_code import SentCode
from idp.database import Base, Connection, Database
from idp.directory import letters, person_words, users
from idp.directory.users import User, canonical_email
from idp.errors import PageRefusal, Refusal, told
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint, new_id, new_secret
from idp.sessions import of_person

HOUR, DAY = 3600.0, 86400.0
LIFETIME = HOUR
UNDO_DAYS = 7
MOST = ((5, HOUR), (10, DAY))  # letters that one person has us send
GIVEN_BACK = "the old e-mail address was given back"


class EmailChange(Base):
    """It waits until it is confirmed, withdrawn, or its time is over. The old address can be given
    back by `undo_hash` until `undo_until`, unless `undone_at` is set: it was, or may not be."""

    __tablename__ = "email_changes"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    old_email: Mapped[str]
    new_email: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float]
    expires_at: Mapped[float]
    withdrawn_at: Mapped[float | None]
    confirmed_at: Mapped[float | None]
    undo_hash: Mapped[str | None] = mapped_column(unique=True)
    undo_until: Mapped[float | None]
    undone_at: Mapped[float | None]


class EmailMistake(Refusal):
    """`sentence` says to the person what is wrong with the address."""

    def __init__(self, sentence: str) -> None:
        super().__init__("invalid_request", sentence, "a new address was not taken")
        self.sentence = sentence


class LinkOver(PageRefusal):
    """Unknown, used, replaced, expired, of another account, or for an address that has an account:
    all the same to whoever has it."""

    def __init__(self, detail: str = "no such change") -> None:
        super().__init__(
            "address_link_over",
            told("This link can't be used any more. Ask for a new one on your account page."),
            detail,
            404,
        )


class Waiting(NamedTuple):
    new_email: str
    expires_at: float


class Undoable(NamedTuple):
    id: str
    user_id: str
    old_email: str
    confirmed_at: float


_TABLE: Any = EmailChange.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
_OF_USER = _TABLE.c.user_id == sa.bindparam("owner_id", type_=sa.Text)
_WAITS = (_TABLE.c.confirmed_at.is_(None), _TABLE.c.withdrawn_at.is_(None))
_IS_OPEN = (*_WAITS, _TABLE.c.expires_at > _NOW)
_IS_MINE = (_TABLE.c.token_hash == sa.bindparam("hashed"), _OF_USER, *_IS_OPEN)
_CAN_BE_UNDONE = (
    _TABLE.c.undo_hash == sa.bindparam("hashed"),
    _TABLE.c.undone_at.is_(None),
    _TABLE.c.undo_until > _NOW,
)
_NAMES = ("id", "user_id", "old_email", "new_email", "token_hash", "created_at", "expires_at")
_INSERT = sa.insert(_TABLE).values({name: sa.bindparam(name) for name in _NAMES})
_WITHDRAW = sa.update(_TABLE).where(_OF_USER, *_WAITS).values(withdrawn_at=_NOW)
_WAITING = sa.select(_TABLE.c.new_email, _TABLE.c.expires_at).where(_OF_USER, *_IS_OPEN)
_LOOK = sa.select(_TABLE.c.new_email).where(*_IS_MINE)
_CONFIRM = (
    sa.update(_TABLE)
    .where(*_IS_MINE)
    .values(
        confirmed_at=_NOW,
        undo_hash=sa.bindparam("undo_hash"),
        undo_until=sa.bindparam("undo_until", type_=sa.Double),
    )
    .returning(_TABLE.c.old_email, _TABLE.c.new_email)
)
_LOOK_BACK = sa.select(*(_TABLE.c[name] for name in Undoable._fields)).where(*_CAN_BE_UNDONE)
_UNDO = (
    sa.update(_TABLE)
    .where(*_CAN_BE_UNDONE)
    .values(undone_at=_NOW)
    .returning(*(_TABLE.c[name] for name in Undoable._fields))
)
_END_SINCE = (
    sa.update(_TABLE)
    .where(
        _OF_USER,
        _TABLE.c.confirmed_at >= sa.bindparam("since", type_=sa.Double),
        _TABLE.c.undone_at.is_(None),
    )
    .values(undone_at=_NOW)
)
_DROP_CODES = sa.delete(SentCode).where(SentCode.user_id == sa.bindparam("owner_id"))


def ask(
    database: Database, keys: SecretKeys, user_id: str, claimed: str, now: float, origin: Origin
) -> None:
    """Mail a link to the new address; it replaces the last one. The caller has seen that the person
    is recently proven. Raises EmailMistake."""
    canonical, secret = canonical_email(claimed), new_secret()
    with database.transaction() as db:
        person = users.find_person(db, user_id)
        assert person
        if canonical is None:
            raise EmailMistake(told("Enter an e-mail address."))
        if canonical == canonical_email(person.email):
            raise EmailMistake(told("This is your address already."))
        _take_room(db, keys, user_id, canonical, now)
        db.run(_WITHDRAW, owner_id=user_id, now=now)
        db.run(
            _INSERT,
            id=new_id(),
            user_id=user_id,
            old_email=person.email,
            new_email=claimed.strip(),
            token_hash=fingerprint(secret),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        _post_link(db, keys, claimed.strip(), canonical, secret, person.locale, now)
        audit.record(db, "email.change_asked", now, origin, actor=user_id, email=canonical)


def _take_room(db: Connection, keys: SecretKeys, user_id: str, canonical: str, now: float) -> None:
    """Of the address's letters, whoever has them sent, and of the person's own. Raises
    EmailMistake."""
    address = keys.blind(canonical)
    rations = [
        *((f"letters:{w:.0f}:{address}", most, w) for most, w in letters.TO_AN_ADDRESS),
        *((f"email changes:{w:.0f}:{user_id}", most, w) for most, w in MOST),
    ]
    if limits.take_each(db, now, rations) is not None:
        raise EmailMistake(told("That is as many letters as we send. Try again tomorrow."))


def _post_link(
    db: Connection,
    keys: SecretKeys,
    email: str,
    canonical: str,
    secret: str,
    locale: str,
    now: float,
) -> None:
    """To whoever has an account with the address, that somebody wanted it; else the link."""
    sealed = keys.encrypt(f"/account/email/confirm?token={secret}".encode(), LETTER_SECRET)
    owner = users.find_by_email(db, canonical)
    letter = {"template": "email_link", "to": email, "name": "", "locale": locale}
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
        db.run(_WITHDRAW, owner_id=user_id, now=now)


def look(db: Connection, user_id: str, claimed_token: str, now: float) -> str:
    """The new address, to who is signed in. Changes nothing. Raises LinkOver."""
    row = db.row(_LOOK, hashed=fingerprint(claimed_token), owner_id=user_id, now=now)
    if row is None:
        raise LinkOver
    return str(row[0])


def confirm(
    database: Database,
    keys: SecretKeys,
    user_id: str,
    claimed_token: str,
    now: float,
    origin: Origin,
) -> str:
    """The new address is the account's from now on; it is returned. Raises LinkOver."""
    undo = new_secret()
    with database.session() as rows:
        db = Connection.of(database, rows)
        link = {"hashed": fingerprint(claimed_token), "owner_id": user_id, "now": now}
        until = now + UNDO_DAYS * DAY
        spent = db.row(_CONFIRM, **link, undo_hash=fingerprint(undo), undo_until=until)
        if spent is None:
            raise LinkOver
        old, new = map(str, spent)
        if not _move(rows, user_id, new, now, User.email_canonical == canonical_email(old)):
            raise LinkOver("another account has the address, or this one got another meanwhile")
        _forget_the_address(db, user_id)
        before, after = canonical_email(old), canonical_email(new)
        audit.record(db, "email.changed", now, origin, actor=user_id, before=before, after=after)
        _post_undo(db, keys, user_id, old, new, undo, now)
    return new


def _move(
    rows: Session, user_id: str, email: str, now: float, *conditions: Any, **more: Any
) -> bool:
    """One conditional write, which the database refuses where somebody else has the address."""
    change = (
        sa.update(User)
        .where(User.id == user_id, *conditions)
        .values(email=email, email_canonical=canonical_email(email), email_verified_at=now)
        .values(updated_at=now, **more)
        .returning(User.id)
    )
    try:
        with rows.begin_nested():
            moved = rows.execute(change, execution_options={"synchronize_session": False})
            return moved.first() is not None
    except sa.exc.IntegrityError:
        return False


def _forget_the_address(db: Connection, user_id: str) -> None:
    """Codes that are on their way to it are dead; people find the account by the other one."""
    db.run(_DROP_CODES, owner_id=user_id)
    person_words.keep(db, user_id)


def _post_undo(
    db: Connection, keys: SecretKeys, user_id: str, old: str, new: str, undo: str, now: float
) -> None:
    person = users.find_person(db, user_id)
    assert person
    letter = {"template": "email_changed", "to": old, "name": person.name, "at": now}
    letter |= {"locale": person.locale, "new_email": new, "days": UNDO_DAYS}
    sealed = keys.encrypt(f"/account/email/undo?token={undo}".encode(), LETTER_SECRET)
    outbox.enqueue(db, outbox.LETTER, {**letter, "sealed_link": sealed}, now)


def look_back(db: Connection, claimed_token: str, now: float) -> str:
    """The address that would be given back. Changes nothing. Raises LinkOver."""
    row = db.row(_LOOK_BACK, hashed=fingerprint(claimed_token), now=now)
    if row is None:
        raise LinkOver
    return Undoable._make(row).old_email


def undo(database: Database, claimed_token: str, now: float, origin: Origin) -> None:
    """Give the old address back, and end all sessions, whatever the account's address is by now.
    Raises LinkOver."""
    with database.session() as rows:
        db = Connection.of(database, rows)
        row = db.row(_UNDO, hashed=fingerprint(claimed_token), now=now)
        if row is None:
            raise LinkOver
        found = Undoable._make(row)
        after = math.nextafter(now, math.inf)
        if not _move(rows, found.user_id, found.old_email, now, sessions_valid_after=after):
            raise LinkOver("another account has the old address")
        db.run(_END_SINCE, owner_id=found.user_id, since=found.confirmed_at, now=now)
        db.run(_WITHDRAW, owner_id=found.user_id, now=now)
        _forget_the_address(db, found.user_id)
        _end_passwords_since(db, found, now)
        of_person.end_others(db, found.user_id, "", GIVEN_BACK, now, origin)
        about = {"actor": found.user_id, "after": canonical_email(found.old_email)}
        audit.record(db, "email.given_back", now, origin, **about)


def _end_passwords_since(db: Connection, found: Undoable, now: float) -> None:
    """Whoever changed the address had them mailed there. The owner gets another one by mail."""
    temporary_passwords.end(db, found.user_id, now)
    state = password.find_state(db, found.user_id)
    if state and state[0] > found.confirmed_at:
        password.reset_by_mail(db, found.user_id, temporary_passwords.TEMPORARY, now)
