"""Letters before a password becomes too old for what its owner opens: at 14, 3 and 1 days (N11).

The worker walks through all passwords, a batch at a time and by their key, and goes on where it
stopped: no tick reads more than a batch. Where nothing asks for an age it reads nothing. A letter
is one conditional write beside its order, so that each goes out once for a person and a password,
whoever else walks. Whoever signs in without a password, or opens nothing that asks, gets none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import outbox
from idp.credentials.password import Password
from idp.database import Base, Connection, Database
from idp.directory import memberships, tenants, users
from idp.directory.catalog import Catalog, ProductView
from idp.directory.tenants import Tenant
from idp.directory.users import Person
from idp.ephemeral import Ephemeral
from idp.policies import password_age
from idp.policies.password_age import DAY, MAX_AGE
from idp.statements import Upsert

DAYS = (14, 3, 1)
BATCH = 2000
PLACE = "password reminders"
KEEP_PLACE = 7 * DAY


class PasswordReminder(Base):
    """The last letter about the password that was set at `changed_at`: `stage` counts DAYS from
    one."""

    __tablename__ = "password_reminders"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    changed_at: Mapped[float]
    stage: Mapped[int]


class _Due(NamedTuple):
    """When the password will be too old, for which products."""

    at: float
    products: list[str]


_TABLE: Any = PasswordReminder.__table__
_PASSWORDS: Any = Password.__table__
_SENT = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values({name: sa.bindparam(name) for name in ("user_id", "changed_at", "stage")})
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_={name: sa.bindparam(name) for name in ("changed_at", "stage")},
            where=sa.or_(
                _TABLE.c.changed_at < sa.bindparam("changed_at", type_=sa.Double),
                _TABLE.c.stage < sa.bindparam("stage", type_=sa.Integer),
            ),
        )
        .returning(_TABLE.c.user_id)
    )
)
_NEXT = (
    sa.select(_PASSWORDS.c.user_id, _PASSWORDS.c.changed_at)
    .where(
        _PASSWORDS.c.user_id > sa.bindparam("after", type_=sa.Text),
        _PASSWORDS.c.must_change == sa.literal_column("''"),
    )
    .order_by(_PASSWORDS.c.user_id)
    .limit(BATCH)
)
_RULES = sa.select(sa.type_coerce(Tenant.policy, sa.Text)).where(
    Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'"),
    sa.type_coerce(Tenant.policy, sa.Text).contains(sa.literal_column(f"'{MAX_AGE}'")),
)


def write_due(database: Database, store: Ephemeral, known: Catalog, issuer: str, now: float) -> int:
    """Go on with the walk; how many letters were ordered."""
    with database.connection() as db:
        days = _shortest(db, known)
        if days is None:
            return 0
        place = store.read(PLACE, now) or ""
        rows = db.rows(_NEXT, after=place)
    store.put(PLACE, rows[-1][0] if len(rows) == BATCH else "", KEEP_PLACE, now)
    youngest = now - (days - DAYS[0]) * DAY
    old = [(user_id, changed_at) for user_id, changed_at in rows if changed_at <= youngest]
    return sum(_remind(database, known, issuer, *each, now) for each in old)


def _shortest(db: Connection, known: Catalog) -> int | None:
    """Of all ages that anything asks for."""
    of_products = [product.password_max_age_days for product in known.products.values()]
    of_tenants = [password_age.of_tenant(policy) for (policy,) in db.rows(_RULES)]
    days = [*filter(None, of_products), *(rule.days for rule in of_tenants if rule)]
    return min(days, default=None)


def _remind(
    database: Database, known: Catalog, issuer: str, user_id: str, changed_at: float, now: float
) -> bool:
    with database.transaction() as db:
        person = users.find_person(db, user_id)
        due = _due(db, known, user_id, changed_at, now)
        if person is None or person.status != users.ACTIVE or due is None:
            return False
        left = (due.at - now) / DAY
        stage = sum(left <= each for each in DAYS)
        if left <= 0 or stage == 0:
            return False
        if db.row(_SENT, user_id=user_id, changed_at=changed_at, stage=stage) is None:
            return False
        _post(db, person, due, max(1, round(left)), issuer, now)
    return True


def _due(
    db: Connection, known: Catalog, user_id: str, changed_at: float, now: float
) -> _Due | None:
    """The first of what they open that will ask."""
    found: dict[float, list[str]] = {}
    for product in known.products.values():
        at = _due_at(db, product, user_id, changed_at, now)
        if at is not None:
            found.setdefault(at, []).append(product.name)
    if not found:
        return None
    first = min(found)
    return _Due(first, found[first])


def _due_at(
    db: Connection, product: ProductView, user_id: str, changed_at: float, now: float
) -> float | None:
    rules = [
        rule
        for standing in memberships.standings(db, user_id, product.key, now)
        if standing.opens(product)
        for rule in password_age.rules(
            product, (standing.tenant_policy, standing.home_policy or "{}")
        )
    ]
    return password_age.due_at(rules, changed_at, user_id)


def _post(db: Connection, person: Person, due: _Due, days: int, issuer: str, now: float) -> None:
    whom = {"to": person.email, "name": person.name, "locale": person.locale}
    about = {"template": "password_reminder", "days": days, "products": due.products}
    url = f"{issuer}/account/password"
    outbox.enqueue(db, outbox.LETTER, {**whom, **about, "url": url}, now)
