"""Users: one person, one verified e-mail address, one `sub`, whatever number of tenants."""

from __future__ import annotations

import math
import unicodedata
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.directory import domain_names
from idp.secret_values import new_id

ACTIVE = "active"
DISABLED = "disabled"
MAX_EMAIL = 254
SPECIALS = frozenset('()<>[]:;,\\"')  # RFC 5322 section 3.2.3: a header reads them as syntax


class User(Base):
    """`id` is the `sub` of every token. Nothing that was proven before `sessions_valid_after`
    counts any more: a password change or a disabling moves it (product.md S8). `operator_term`
    names the time for which somebody is an operator (`as_operator`)."""

    __tablename__ = "users"
    __table_args__ = (
        sa.Index(
            "ix_users_operators",
            "id",
            postgresql_where=sa.text("is_operator"),
            sqlite_where=sa.text("is_operator = 1"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_canonical: Mapped[str] = mapped_column(unique=True)
    email_verified_at: Mapped[float | None]
    name: Mapped[str]
    given_name: Mapped[str] = mapped_column(default="")
    family_name: Mapped[str] = mapped_column(default="")
    locale: Mapped[str] = mapped_column(default="en")
    zoneinfo: Mapped[str] = mapped_column(default="UTC")
    status: Mapped[str] = mapped_column(default=ACTIVE)
    is_operator: Mapped[bool] = mapped_column(default=False)
    operator_term: Mapped[str | None]
    sessions_valid_after: Mapped[float] = mapped_column(default=0.0)
    last_tenant_id: Mapped[str | None] = mapped_column(sa.ForeignKey("tenants.id"))
    created_at: Mapped[float]
    updated_at: Mapped[float]


class Person(NamedTuple):
    """What the sign-in needs to know about a user."""

    id: str
    email: str
    name: str
    locale: str
    status: str
    sessions_valid_after: float
    last_tenant_id: str | None
    is_operator: bool | int


PERSON_COLUMNS = (
    User.id,
    User.email,
    User.name,
    User.locale,
    User.status,
    User.sessions_valid_after,
    User.last_tenant_id,
    User.is_operator,
)
_BY_EMAIL = sa.select(*PERSON_COLUMNS).where(User.email_canonical == sa.bindparam("email"))
_BY_ID = sa.select(*PERSON_COLUMNS).where(User.id == sa.bindparam("user_id"))
_HOLD = _BY_ID.with_for_update(read=True)
_BEFORE = sa.bindparam("before", type_=sa.Double)
_HAS_VERIFIED = sa.select(User.id).where(
    User.id == sa.bindparam("user_id"), User.email_verified_at.is_not(None)
)
_REFUSE_PROOFS = (
    sa.update(User.__table__)  # type: ignore[arg-type]
    .where(User.id == sa.bindparam("owner_id"))
    .values(
        sessions_valid_after=sa.case(
            (User.sessions_valid_after > _BEFORE, User.sessions_valid_after), else_=_BEFORE
        )
    )
    .returning(User.sessions_valid_after)
)
_REMEMBER_TENANT = (
    sa.update(User)
    .where(User.id == sa.bindparam("user_id"))
    .values(last_tenant_id=sa.bindparam("tenant_id"))
)


def as_operator(is_operator: bool) -> dict[str, bool | str | None]:
    """The columns that make somebody an operator, or one no more. Each time is another term, so
    that nothing that was granted in an earlier one wakes up."""
    return {"is_operator": is_operator, "operator_term": new_id() if is_operator else None}


def find_by_email(db: Connection, canonical: str) -> Person | None:
    row = db.row(_BY_EMAIL, email=canonical)
    return Person._make(row) if row else None


def find_person(db: Connection, user_id: str) -> Person | None:
    row = db.row(_BY_ID, user_id=user_id)
    return Person._make(row) if row else None


def has_verified_email(db: Connection, user_id: str) -> bool:
    return db.row(_HAS_VERIFIED, user_id=user_id) is not None


def remember_tenant(db: Connection, user_id: str, tenant_id: str) -> None:
    """The choice among several tenants is kept for the next sign-in (product.md T3)."""
    db.run(_REMEMBER_TENANT, user_id=user_id, tenant_id=tenant_id)


def refuse_proofs(db: Connection, user_id: str, until: float) -> float:
    """Nothing counts that was proven until then; what is from the moment that is returned does. A
    clock that is behind takes nothing back."""
    row = db.row(_REFUSE_PROOFS, owner_id=user_id, before=math.nextafter(until, math.inf))
    assert row, "no such person"
    return float(row[0])


def keep_as_is(db: Connection, user_id: str) -> None:
    """Until this transaction is over: whoever changes the person's address or status in another
    has done so before, or waits. Call it before anything is read that rests on them."""
    db.row(_HOLD, user_id=user_id)


def hold(db: Connection, user_id: str, proven_at: float) -> bool:
    """Whether a proof from then still counts, and goes on to until this transaction is over:
    whoever ends it (`refuse_proofs`, another status) waits, and finds what was written."""
    row = db.row(_HOLD, user_id=user_id)
    return row is not None and may_sign_in(Person._make(row), proven_at)


def canonical_email(claimed: str) -> str | None:
    """The one form that an address is stored, written to and looked up by, or None if it is no
    address.

    NFKC, then case folded, so that no two spellings are two people (security.md S59). Exactly
    one `@`; no white space, control or invisible characters, and nothing that makes it another
    address, or several, in a mail's header, which decodes what begins with `=?` (RFC 2047). The
    domain is as companies prove theirs (`domain_names`), by the rules that mail is delivered
    by: folded like the rest, two domains could become one.
    """
    local, at, domain = unicodedata.normalize("NFKC", claimed.strip()).partition("@")
    local, ascii_domain = local.casefold(), domain_names.canonical(domain)
    if not (local and at and ascii_domain) or len(local) + len(domain) >= MAX_EMAIL:
        return None
    text = local + domain
    if (
        "=?" in local
        or SPECIALS.intersection(text)
        or any(unicodedata.category(c)[0] in "CZ" for c in text)
    ):
        return None
    return f"{local}@{ascii_domain}"


def may_sign_in(person: Person, proven_at: float) -> bool:
    """Whether a proof from then still counts: not disabled, and nothing has ended it since."""
    return person.status == ACTIVE and proven_at >= person.sessions_valid_after
