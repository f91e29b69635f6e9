"""Consent: what a person has allowed a client that is not first-party to see, in one company.

It is the membership's: a yes for one company is none for another, and a membership that is made
anew starts without any. A grant names the consent that it rests on (`grant.why_dead`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.database import Base, Connection, Upsert
from idp.directory.clients import Client
from idp.directory.memberships import HAS_NOT_ENDED, Membership
from idp.directory.tenants import Tenant
from idp.secret_values import new_id


class Consent(Base):
    """`scope` is separated by spaces. Withdrawing deletes the row (`withdrawing.py`); another yes
    is another row, so nothing that rested on the first one wakes up."""

    __tablename__ = "consents"
    __table_args__ = (sa.UniqueConstraint("membership_id", "client_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    membership_id: Mapped[str] = mapped_column(sa.ForeignKey("memberships.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.client_id", ondelete="CASCADE"))
    scope: Mapped[str]
    given_at: Mapped[float]


class Given(NamedTuple):
    """What stands for one membership."""

    membership_id: str
    consent_id: str
    scope: frozenset[str]


class ListedConsent(NamedTuple):
    id: str
    client_id: str
    client_name: str
    tenant_name: str
    scope: str
    given_at: float


_TABLE: Any = Consent.__table__
_FIND = (
    sa.select(Consent.membership_id, Consent.id, Consent.scope)
    .join(Membership, Membership.id == Consent.membership_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        HAS_NOT_ENDED,
        Consent.client_id == sa.bindparam("client_id"),
    )
)
_LOCK = Upsert(  # whoever else gives or withdraws it waits until this transaction is over
    lambda insert: (
        insert(_TABLE)
        .values(
            id=sa.bindparam("id"),
            membership_id=sa.bindparam("membership_id"),
            client_id=sa.bindparam("client_id"),
            scope=sa.bindparam("scope"),
            given_at=sa.bindparam("given_at"),
        )
        .on_conflict_do_update(
            index_elements=["membership_id", "client_id"],
            set_={"given_at": sa.bindparam("given_at")},
        )
        .returning(_TABLE.c.id, _TABLE.c.scope)
    )
)
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
    .join(Membership, Membership.id == Consent.membership_id)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .where(Membership.user_id == sa.bindparam("user_id"), HAS_NOT_ENDED)
    .order_by(Client.client_name, Tenant.name)
)


def find(db: Connection, user_id: str, client_id: str) -> list[Given]:
    """What the person has allowed the client, company by company."""
    return [
        Given(str(membership_id), str(consent_id), frozenset(str(scope).split()))
        for membership_id, consent_id, scope in db.rows(_FIND, user_id=user_id, client_id=client_id)
    ]


def give(
    db: Connection,
    user_id: str,
    membership_id: str,
    tenant_id: str,
    client_id: str,
    scope: frozenset[str],
    now: float,
    origin: Origin,
) -> str:
    """In a transaction. Added to what was allowed before, whoever adds to it at the same time. The
    id of the consent."""
    row = db.row(
        _LOCK,
        id=new_id(),
        membership_id=membership_id,
        client_id=client_id,
        scope=_words(scope),
        given_at=now,
    )
    assert row
    consent_id, standing = str(row[0]), frozenset(str(row[1]).split())
    if not scope <= standing:
        db.run(_WIDEN, consent_id=consent_id, wider_scope=_words(standing | scope))
    audit.record(
        db,
        "consent.given",
        now,
        origin,
        actor=user_id,
        tenant=tenant_id,
        client=client_id,
        scope=sorted(scope),
    )
    return consent_id


def _words(scope: frozenset[str]) -> str:
    return " ".join(sorted(scope))


def given_by(db: Connection, user_id: str) -> list[ListedConsent]:
    return [ListedConsent._make(row) for row in db.rows(_OF_PERSON, user_id=user_id)]
