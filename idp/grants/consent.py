"""Consent: what a person has allowed a client that is not first-party to see, in one company.

It is the membership's: a yes for one company is none for another, and a membership that is made
anew starts without any. For the platform it is an operator's, for the term that goes on. A grant
names the consent that it rests on (`grant.why_dead`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.database import Base, Connection
from idp.directory.clients import Client
from idp.directory.memberships import HAS_NOT_ENDED, Membership
from idp.directory.operator_standing import AnyStanding
from idp.directory.products import PLATFORM
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.secret_values import new_id
from idp.statements import Upsert

ONE_STANDING = "(membership_id IS NULL) <> (operator_term IS NULL)"


class Consent(Base):
    """`scope` is separated by spaces. Withdrawing deletes the row (`withdrawing.py`); another yes
    is another row, so nothing that rested on the first one wakes up."""

    __tablename__ = "consents"
    __table_args__ = (
        sa.UniqueConstraint("membership_id", "client_id"),
        sa.UniqueConstraint("operator_term", "client_id"),
        sa.CheckConstraint(ONE_STANDING, name="one_standing"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    membership_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("memberships.id", ondelete="CASCADE")
    )
    operator_term: Mapped[str | None]
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.client_id", ondelete="CASCADE"))
    scope: Mapped[str]
    given_at: Mapped[float]


class Given(NamedTuple):
    """What stands for one membership, or for an operator's term."""

    rests_on: str
    consent_id: str
    scope: frozenset[str]


class ListedConsent(NamedTuple):
    """`tenant_name` is None for what was allowed as an operator."""

    id: str
    client_id: str
    client_name: str
    tenant_name: str | None
    scope: str
    given_at: float


_TABLE: Any = Consent.__table__
_OWNER: Any = sa.bindparam("owner_id")
_own: Any = sa.orm.aliased(Consent)
IS_OF_PERSON = _TABLE.c.id.in_(
    sa.union_all(
        sa.select(_own.id)
        .join(Membership, Membership.id == _own.membership_id)
        .where(Membership.user_id == _OWNER, HAS_NOT_ENDED),
        sa.select(_own.id)
        .join(User, User.operator_term == _own.operator_term)
        .where(User.id == _OWNER),
    )
)
_FIND = (
    sa.select(Consent.membership_id, Consent.id, Consent.scope)
    .join(Membership, Membership.id == Consent.membership_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        HAS_NOT_ENDED,
        Consent.client_id == sa.bindparam("client_id"),
    )
)
_FIND_OF_OPERATOR = (
    sa.select(Consent.operator_term, Consent.id, Consent.scope)
    .join(User, User.operator_term == Consent.operator_term)
    .where(User.id == sa.bindparam("user_id"), Consent.client_id == sa.bindparam("client_id"))
)


def _lock(held_by: str) -> Upsert:
    """Whoever else gives or withdraws it waits until this transaction is over. `held_by` is the
    column that says whose it is."""
    names = ("id", held_by, "client_id", "scope", "given_at")
    return Upsert(
        lambda insert: (
            insert(_TABLE)
            .values({name: sa.bindparam(name) for name in names})
            .on_conflict_do_update(
                index_elements=[held_by, "client_id"],
                set_={"given_at": sa.bindparam("given_at")},
            )
            .returning(_TABLE.c.id, _TABLE.c.scope)
        )
    )


_LOCK, _LOCK_OF_OPERATOR = _lock("membership_id"), _lock("operator_term")
_WIDEN = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("consent_id"))
    .values(scope=sa.bindparam("wider_scope"))
)
_OF_PERSON = (
    sa.select(
        *(Consent.id, Client.client_id, Client.client_name),
        *(Tenant.name, Consent.scope, Consent.given_at),
    )
    .select_from(Consent)
    .join(Client, Client.client_id == Consent.client_id)
    .outerjoin(Membership, Membership.id == Consent.membership_id)
    .outerjoin(Tenant, Tenant.id == Membership.tenant_id)
    .where(IS_OF_PERSON)
    .order_by(Client.client_name, Tenant.name)
)


def find(db: Connection, user_id: str, client: Client) -> list[Given]:
    """What the person has allowed the client, company by company."""
    statement = _FIND_OF_OPERATOR if client.product_key == PLATFORM else _FIND
    return [
        Given(str(rests_on), str(consent_id), frozenset(str(scope).split()))
        for rests_on, consent_id, scope in db.rows(
            statement, user_id=user_id, client_id=client.client_id
        )
    ]


def give(
    db: Connection,
    user_id: str,
    standing: AnyStanding,
    client_id: str,
    scope: frozenset[str],
    now: float,
    origin: Origin,
) -> str:
    """In a transaction. Added to what was allowed before, whoever adds to it at the same time. The
    id of the consent."""
    row = db.row(
        _LOCK_OF_OPERATOR if standing.operator_term else _LOCK,
        id=new_id(),
        membership_id=standing.membership_id,
        operator_term=standing.operator_term,
        client_id=client_id,
        scope=_words(scope),
        given_at=now,
    )
    assert row
    consent_id, before = str(row[0]), frozenset(str(row[1]).split())
    if not scope <= before:
        db.run(_WIDEN, consent_id=consent_id, wider_scope=_words(before | scope))
    audit.record(
        db,
        "consent.given",
        now,
        origin,
        actor=user_id,
        tenant=standing.tenant_id,
        client=client_id,
        scope=sorted(scope),
    )
    return consent_id


def _words(scope: frozenset[str]) -> str:
    return " ".join(sorted(scope))


def given_by(db: Connection, user_id: str) -> list[ListedConsent]:
    return [ListedConsent._make(row) for row in db.rows(_OF_PERSON, owner_id=user_id)]
