"""The way back to an account's old e-mail address, by a link that the old mailbox gets
(security.md S58).

It is good for a week, whatever happened to the account since, so that whoever took it over can't be
rid of it by changing again; and it makes worthless all links that were sent since, which are in the
hands of whoever did, the password that was set since or waits in the other mailbox, and the second
factors that were enrolled since. What was enrolled before stays: the old mailbox alone proves no
second factor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit
from idp.audit import Origin
from idp.credentials import factors, password, temporary_passwords
from idp.database import Connection, Database
from idp.directory import users
from idp.directory.users import canonical_email
from idp.login import email_move, linking
from idp.login.email_move import EmailChange, LinkOver
from idp.secret_values import fingerprint
from idp.sessions import of_person

UNDO_DAYS = 7
GIVEN_BACK = "the old e-mail address was given back"


class Undoable(NamedTuple):
    id: str
    user_id: str
    old_email: str
    confirmed_at: float


_TABLE: Any = EmailChange.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
_OF_USER = _TABLE.c.user_id == sa.bindparam("owner_id", type_=sa.Text)
_CAN_BE_UNDONE = (
    _TABLE.c.undo_hash == sa.bindparam("hashed"),
    _TABLE.c.undone_at.is_(None),
    _TABLE.c.undo_until > _NOW,
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
_OPEN_UNDOS = sa.select(_TABLE.c.old_email, _TABLE.c.confirmed_at).where(
    _OF_USER, _TABLE.c.undone_at.is_(None), _TABLE.c.undo_until > _NOW
)


def look_back(db: Connection, claimed_token: str, now: float) -> str:
    """The address that would be given back. Changes nothing. Raises LinkOver."""
    row = db.row(_LOOK_BACK, hashed=fingerprint(claimed_token), now=now)
    if row is None:
        raise LinkOver
    return Undoable._make(row).old_email


def undo(database: Database, claimed_token: str, now: float, origin: Origin) -> None:
    """Give the old address back, and end all that came since, and all sessions, whatever the
    account's address is by now. Raises LinkOver."""
    with database.session() as rows:
        db = Connection.of(database, rows)
        row = db.row(_UNDO, hashed=fingerprint(claimed_token), now=now)
        if row is None:
            raise LinkOver
        found = Undoable._make(row)
        if not email_move.move(rows, db, found.user_id, found.old_email, now):
            raise LinkOver("another account has the old address")
        db.run(_END_SINCE, owner_id=found.user_id, since=found.confirmed_at, now=now)
        email_move.withdraw(db, found.user_id, now)
        _end_passwords_since(db, found, now)
        removed = factors.remove_since(db, found.user_id, found.confirmed_at)
        linking.unlink_since(db, found.user_id, found.confirmed_at, now, origin)
        users.refuse_proofs(db, found.user_id, factors.last_proof(removed, now))
        of_person.end_others(db, found.user_id, "", GIVEN_BACK, now, origin)
        about = {"actor": found.user_id, "after": canonical_email(found.old_email)}
        methods = [each.method for each in removed]
        audit.record(db, "email.given_back", now, origin, **about, factors=methods)


def _end_passwords_since(db: Connection, found: Undoable, now: float) -> None:
    """Whoever changed the address had them mailed there. The owner gets another one by mail."""
    temporary_passwords.end(db, found.user_id, now)
    state = password.find_state(db, found.user_id)
    if state and state[0] > found.confirmed_at:
        password.reset_by_mail(db, found.user_id, temporary_passwords.TEMPORARY, now)


def end_by_a_way_back(db: Connection, user_id: str, new: str, now: float) -> bool:
    """Whether the account goes back by an ordinary change to an address that could have been given
    back. Who did that reads its mailbox, so the links of those since end as if by its own."""
    left_at = (
        confirmed_at
        for old, confirmed_at in db.rows(_OPEN_UNDOS, owner_id=user_id, now=now)
        if canonical_email(old) == canonical_email(new)
    )
    since = next(left_at, None)
    if since is None:
        return False
    db.run(_END_SINCE, owner_id=user_id, since=since, now=now)
    return True
