"""Accounts of people at other providers, by what names them for good: the issuer and its subject
(OpenID Connect Core section 2). Their address there may change, and means nothing once linked.

Whoever's provider made a link vouched for it, and so it is theirs: one that a company made is none
of another company's, nor of the platform's, which asked for a proof.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import NOWHERE, Origin
from idp.database import Base, Connection
from idp.directory import homes
from idp.directory.memberships import Membership
from idp.secret_values import new_id
from idp.statements import Upsert


class LinkedAccount(Base):
    """`email` is what it was called when it was linked; `provider_key` is where, and `company_id`
    whose provider that is, empty for the platform's."""

    __tablename__ = "linked_accounts"
    __table_args__ = (
        sa.UniqueConstraint("company_id", "issuer", "subject"),
        sa.UniqueConstraint("user_id", "provider_key"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    company_id: Mapped[str]
    provider_key: Mapped[str] = mapped_column(index=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str]
    linked_at: Mapped[float]


class Found(NamedTuple):
    user_id: str
    linked_at: float


class Linked(NamedTuple):
    """As its owner sees it; `is_held` by the company whose provider it is, while they are
    one of its people."""

    id: str
    provider_key: str
    email: str
    is_held: bool | int


class Account(NamedTuple):
    """One at another provider, with its address there."""

    company_id: str
    provider_key: str
    issuer: str
    subject: str
    email: str


class By(NamedTuple):
    """Who does it: the person, or for a company an admin of it or somebody who visits."""

    id: str | None
    company_id: str | None = None


class Gone(NamedTuple):
    company_id: str
    provider_key: str
    email: str


_TABLE: Any = LinkedAccount.__table__
_IS_THEIRS = _TABLE.c.user_id == sa.bindparam("owner_id", type_=sa.Text)
_IS_HELD = (
    sa.exists()
    .where(
        Membership.user_id == _TABLE.c.user_id,
        Membership.tenant_id == _TABLE.c.company_id,
        *homes.IS_HOME,
    )
    .correlate(_TABLE)
)
_FIND = sa.select(*(_TABLE.c[name] for name in Found._fields)).where(
    _TABLE.c.company_id == sa.bindparam("company_id"),
    _TABLE.c.issuer == sa.bindparam("issuer"),
    _TABLE.c.subject == sa.bindparam("subject"),
)
_OF_PERSON = (
    sa.select(_TABLE.c.id, _TABLE.c.provider_key, _TABLE.c.email, _IS_HELD)
    .where(_IS_THEIRS)
    .order_by(_TABLE.c.linked_at)
)
_LINK = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(
            {name: sa.bindparam(name) for name in ("id", "user_id", *Account._fields)}
            | {"linked_at": sa.bindparam("now")}
        )
        .on_conflict_do_nothing()
        .returning(_TABLE.c.id)
    )
)
_UNLINK = (
    sa.delete(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("linked_id"), _IS_THEIRS, sa.not_(_IS_HELD))
    .returning(*(_TABLE.c[name] for name in Gone._fields))
)
_UNLINK_SINCE = (
    sa.delete(_TABLE)
    .where(_IS_THEIRS, _TABLE.c.linked_at >= sa.bindparam("since", type_=sa.Double))
    .returning(*(_TABLE.c[name] for name in Gone._fields))
)

_AT_PROVIDER = _TABLE.c.provider_key == sa.bindparam("key", type_=sa.Text)
_IS_ISSUERS = _TABLE.c.issuer == sa.bindparam("issuer", type_=sa.Text)
_HAS_ONE = sa.select(_TABLE.c.id).where(_IS_THEIRS, _AT_PROVIDER, _IS_ISSUERS)
_UNLINK_OTHERS = sa.delete(_TABLE).where(_IS_THEIRS, _AT_PROVIDER, sa.not_(_IS_ISSUERS))
_UNLINK_ALL = sa.delete(_TABLE).where(_AT_PROVIDER)


def find(db: Connection, company_id: str, issuer: str, subject: str) -> Found | None:
    row = db.row(_FIND, company_id=company_id, issuer=issuer, subject=subject)
    return Found._make(row) if row else None


def of_person(db: Connection, user_id: str) -> list[Linked]:
    """The oldest first."""
    return [Linked._make(row) for row in db.rows(_OF_PERSON, owner_id=user_id)]


def has_one(db: Connection, user_id: str, provider_key: str, issuer: str) -> bool:
    return db.row(_HAS_ONE, owner_id=user_id, key=provider_key, issuer=issuer) is not None


def link(db: Connection, user_id: str, account: Account, now: float, origin: Origin) -> bool:
    """False where it is linked already, to whomever, or the person has another one there. One that
    was being linked while the provider became another issuer is in nobody's way. In a
    transaction."""
    at = {"key": account.provider_key, "issuer": account.issuer}
    db.run(_UNLINK_OTHERS, owner_id=user_id, **at)
    if db.row(_LINK, id=new_id(), user_id=user_id, **account._asdict(), now=now) is None:
        return False
    _tell(db, "linked", user_id, account, By(user_id), now, origin)
    return True


def unlink(db: Connection, user_id: str, linked_id: str, now: float, origin: Origin) -> list[Gone]:
    """By its owner. Nothing if it is not theirs, or is their company's word, which is the company's
    to take back."""
    gone = [Gone._make(row) for row in db.rows(_UNLINK, linked_id=linked_id, owner_id=user_id)]
    for each in gone:
        _tell(db, "unlinked", user_id, each, By(user_id), now, origin)
    return gone


def unlink_since(
    db: Connection, user_id: str, since: float, by: By, now: float, origin: Origin
) -> list[Gone]:
    """What was linked from then on, also by their company's word. In a transaction."""
    gone = [Gone._make(row) for row in db.rows(_UNLINK_SINCE, owner_id=user_id, since=since)]
    for each in gone:
        _tell(db, "unlinked", user_id, each, by, now, origin)
    return gone


def unlink_all(db: Connection, provider_key: str) -> int:
    """What is linked at a provider that ends, or becomes another issuer, which has never vouched
    for anybody: how many they were. Whoever was linked may be again, as for the first time. In a
    transaction, which tells of it as of the provider's end or change."""
    return db.run(_UNLINK_ALL, key=provider_key)


def _tell(
    db: Connection,
    what: str,
    user_id: str,
    account: Account | Gone,
    by: By,
    now: float,
    origin: Origin,
) -> None:
    """The person; and the company, in its own log, where the provider is its own. It does not learn
    who did it for another company, or from where."""
    about = {"person": user_id, "provider": account.provider_key, "email": account.email}
    audit.record(db, f"account.{what}", now, origin, actor=by.id, **about)
    if account.company_id:
        is_ours = by.company_id in (None, account.company_id)
        actor, place = (by.id, origin) if is_ours else (None, NOWHERE)
        there = {"actor": actor, "tenant": account.company_id}
        audit.record(db, f"person.account_{what}", now, place, **there, **about)
