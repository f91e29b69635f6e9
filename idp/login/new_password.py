"""Another password: the one way to get one, whatever asks for it (product.md P1, P2, S8).

`prepare` judges and hashes, which is slow and holds no transaction; `keep` writes, in the
transaction of whatever the caller spends for it (a link, an invitation). `change` does the two.
What is written ends all that the old password opened: sessions, refresh tokens and half-finished
sign-ins, at once and everywhere (security.md S57). It is recovery as well: no pause of sign-in, and
no count of wrong ones, outlives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from idp import audit, limits
from idp.audit import Origin
from idp.credentials import blocklist, password, temporary_passwords, tries, unlocking
from idp.credentials.hashing import PasswordHasher
from idp.credentials.password import State
from idp.database import Connection, Database
from idp.directory import memberships, tenants
from idp.directory.memberships import Membership
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import Refusal, told
from idp.policies import password_rules
from idp.policies.assurance import PASSWORD
from idp.policies.password_rules import Company, Objection, Rules, Why
from idp.secret_values import SecretKeys
from idp.sessions import of_person
from idp.sessions.of_person import Kept
from idp.settings import Settings

CHANGED, RESET, TEMPORARY = "changed", "reset", "temporary"
INVITED, SIGNED_UP = "invited", "signed_up"  # a first one, of somebody who could not sign in
ENDED_BY = "the password was changed"

_OWNER = sa.select(User.id, User.email, User.name).where(User.id == sa.bindparam("user_id"))
_COMPANIES = (
    sa.select(Tenant.name, sa.type_coerce(Tenant.policy, sa.Text), Membership.kind)
    .join_from(Membership, Tenant, Tenant.id == Membership.tenant_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        Membership.status != sa.literal_column(f"'{memberships.ENDED}'"),
        Tenant.status != sa.literal_column(f"'{tenants.ENDED}'"),
    )
)


class Unfit(Refusal):
    """It may not be the password; `objection` says why, to whom it belongs."""

    def __init__(self, objection: Objection) -> None:
        super().__init__("unfit_password", told("Choose another password."), objection.why)
        self.objection = objection


class ChangedMeanwhile(Refusal):
    """Somebody else was first with another password."""

    def __init__(self) -> None:
        sentence = told("Your password was changed meanwhile. Start again.")
        super().__init__("changed_meanwhile", sentence)


class Lost(Exception):
    """The same, inside of a transaction. It is no refusal, which would commit what was written so
    far."""


class Owner(NamedTuple):
    """Whose password it is to be; `id` is empty for a person who is yet to be made."""

    id: str
    email: str
    name: str
    companies: tuple[Company, ...]

    @property
    def rules(self) -> Rules:
        return password_rules.rules_of(self.companies)

    def words(self, product_names: Iterable[str]) -> list[str]:
        """What a stranger would try first."""
        return [self.email, self.name, *(each.name for each in self.companies), *product_names]


class Prepared(NamedTuple):
    """A password that was judged and hashed. `replaces` is the hash that the person had, None for a
    first one, and `seen` how it was when they were found to be free to change it."""

    hash: str
    replaces: str | None
    seen: State | None
    history: int


def owner_of(db: Connection, user_id: str) -> Owner:
    """A person who exists, with every company that they are in."""
    row = db.row(_OWNER, user_id=user_id)
    assert row, "no such person"
    companies = db.rows(_COMPANIES, user_id=user_id)
    return Owner(row[0], row[1], row[2], tuple(map(Company._make, companies)))


def change(
    database: Database,
    hasher: PasswordHasher,
    secret_keys: SecretKeys,
    settings: Settings,
    product_names: Iterable[str],
    user_id: str,
    claimed_new: str,
    now: float,
    origin: Origin,
    *,
    claimed_current: str = "",
    seen: State | None = None,
    keep_session_id: str | None = None,
) -> None:
    """Give a person another password, or a first one, and end all that went before. The caller has
    seen that they may. `claimed_current` is what was typed in the same form, if it was; whoever has
    proven it there may keep that one session. `seen` is how the password was when the caller
    looked, if that was earlier. Raises Unfit, ChangedMeanwhile, or Busy."""
    with database.connection() as db:
        owner = owner_of(db, user_id)
    asked = (owner, product_names, claimed_new, claimed_current, seen)
    prepared = prepare(database, hasher, settings, *asked)
    try:
        with database.transaction() as db:
            keep(db, secret_keys, owner, prepared, now, origin, keep_session_id=keep_session_id)
    except Lost:
        raise ChangedMeanwhile from None


def prepare(
    database: Database,
    hasher: PasswordHasher,
    settings: Settings,
    owner: Owner,
    product_names: Iterable[str],
    claimed_new: str,
    claimed_current: str = "",
    seen: State | None = None,
) -> Prepared:
    """Judge and hash. Not in a transaction: it computes up to 25 hashes, and may ask a service.
    Raises Unfit, or Busy."""
    rules = owner.rules
    judge(settings, owner, product_names, claimed_new, claimed_current)
    with database.connection() as db:
        seen = seen or password.find_state(db, owner.id)
        current = password.find_hash(db, owner.id)
        former = password.former_hashes(db, owner.id, max(rules.history - 1, 0))
        temporary = temporary_passwords.last_hash(db, owner.id)
    for stored in filter(None, (current, temporary, *former)):
        with hasher.slot(owner.email):
            if hasher.compare(stored, claimed_new):
                raise Unfit(Objection(Why.USED_BEFORE, rules.history))
    return Prepared(hasher.hash(claimed_new, owner.email), current, seen, rules.history)


def judge(
    settings: Settings,
    owner: Owner,
    product_names: Iterable[str],
    claimed_new: str,
    claimed_current: str = "",
) -> None:
    """By all that is known without what they had before. Raises Unfit."""
    words = owner.words(product_names)
    found = password_rules.objection(owner.rules, claimed_new, words, claimed_current)
    if found:
        raise Unfit(found)
    if blocklist.is_compromised(claimed_new, settings.compromised_range_url):
        raise Unfit(Objection(Why.COMPROMISED))


def keep(
    db: Connection,
    secret_keys: SecretKeys,
    owner: Owner,
    prepared: Prepared,
    now: float,
    origin: Origin,
    *,
    keep_session_id: str | None = None,
    way: str = CHANGED,
) -> None:
    """Write it, once: of two who were prepared at the same time, one is. `way` goes into the audit
    log. In a transaction. Raises Lost."""
    unlocking.unlock_all(db, owner.id)
    limits.clear(db, tries.limit_key(secret_keys, owner.email))
    proven_at = _write(db, owner.id, prepared, now)
    tag = "password.changed" if prepared.replaces else "password.made"
    audit.record(db, tag, now, origin, actor=owner.id, person=owner.id, way=way)
    if way not in (INVITED, SIGNED_UP):
        end_what_went_before(db, owner.id, proven_at, now, origin, keep_session_id)


def _write(db: Connection, user_id: str, prepared: Prepared, now: float) -> float:
    """When the one that it replaces was last proven."""
    if prepared.replaces is None or prepared.seen is None:
        if not password.set_first(db, user_id, prepared.hash, now):
            raise Lost
        return 0.0
    replaced = (prepared.replaces, prepared.seen, prepared.hash)
    proven_at = password.replace(db, user_id, *replaced, now, prepared.history)
    if proven_at is None:
        raise Lost
    return proven_at


def end_what_went_before(
    db: Connection,
    user_id: str,
    proven_at: float,
    now: float,
    origin: Origin,
    keep_session_id: str | None = None,
) -> None:
    """Past all that the old password has proven, also while the new one was being hashed, and by a
    clock that is ahead of ours."""
    kept = Kept(keep_session_id, PASSWORD) if keep_session_id else None
    until = max(now, proven_at)
    of_person.refuse_proofs(db, user_id, until, kept, ENDED_BY, now, origin)
