"""Who administers a tenant, by what right, and the only rows that they can reach.

Every rule of the console and of the management API takes an `Administration`: an actor, a tenant,
and a transaction in which no other tenant's rows exist (`tenancy`). The rule checks the right, so
that no page or endpoint can forget to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import audit, tenancy
from idp.audit import Origin
from idp.columns import joined_by_line
from idp.database import Connection, Database
from idp.directory import tenants
from idp.directory.catalog import Catalog
from idp.directory.memberships import Membership, MembershipRole, of_roles
from idp.directory.products import CONSOLE
from idp.directory.roles import TOP_RANK, Role, RolePermission
from idp.directory.tenants import Tenant
from idp.errors import PageRefusal, told
from idp.tenancy import TenantOwned

RECENT = 900.0  # seconds since the sign-in that a sensitive change rests on

Node = tuple[str, str]
Owned = TypeVar("Owned", bound=TenantOwned)


class NotFound(PageRefusal):
    """It is not there, or not this tenant's: nobody can tell which (security.md S76)."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_found", told("There is nothing at this address."), detail, 404)


class Forbidden(PageRefusal):
    def __init__(self, detail: str) -> None:
        super().__init__("access_denied", told("Your roles do not allow this."), detail, 403)


class RecentSignInNeeded(PageRefusal):
    """RFC 9470's insufficient_user_authentication, at our own console. `acr` is the least class
    that would do, None where a password would."""

    acr: str | None = None

    def __init__(
        self,
        message: str = told("Sign in again to make this change."),
        detail: str = "the sign-in is not recent",
    ) -> None:
        super().__init__("insufficient_user_authentication", message, detail, 403)


class SecondFactorNeeded(RecentSignInNeeded):
    acr = "aal2"

    def __init__(self) -> None:
        sentence = told("Prove a second factor to make this change.")
        super().__init__(sentence, detail="no second factor was proven lately")


class Mistake(PageRefusal):
    """Something that was sent can't be taken: `errors` maps its field to a sentence."""

    def __init__(self, **errors: str) -> None:
        super().__init__(
            "invalid_request",
            told("Some of this can't be taken."),
            f"fields: {', '.join(errors)}",
            422,
        )
        self.errors = errors


class TooOften(Mistake):
    """Nothing is wrong with it, but there was enough of it; `wait` is in seconds, at most."""

    def __init__(self, wait: float, **errors: str) -> None:
        super().__init__(**errors)
        self.code, self.status = "too_many_requests", 429
        self.wait = wait


class Changed(PageRefusal):
    """Somebody else changed it after it was shown; nothing was written over."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "conflict",
            told("Somebody else has changed this. Below is what is saved now."),
            f"{detail} is not what was shown",
            409,
        )


class Rights(NamedTuple):
    """What somebody's roles in a tenant amount to. `nodes` are pairs of product and permission; the
    account admin `has_all`, also of what is still to come. Who was let in from another company has
    it `within` the products that were approved; who comes by a client has of the console's nodes
    those in `console` alone. None is no limit."""

    rank: int
    has_all: bool
    nodes: frozenset[Node]
    within: frozenset[str] | None = None
    console: frozenset[str] | None = None

    @property
    def is_unlimited(self) -> bool:
        return self.has_all and self.within is None and self.console is None

    def holds(self, nodes: frozenset[Node]) -> bool:
        if self.within is not None and any(product not in self.within for product, _ in nodes):
            return False
        administration = {node for product, node in nodes if product == CONSOLE}
        if self.console is not None and not administration <= self.console:
            return False
        return self.has_all or nodes <= self.nodes


EVERYTHING = Rights(TOP_RANK, True, frozenset())
NOTHING = Rights(0, False, frozenset())


@dataclass(frozen=True, slots=True)
class Actor:
    """A person at the console; at the API a client, alone (without `auth_time`) or with the person
    whose token it has. `permissions` are the console's nodes; `rights` what they hand on;
    `visit_id` is set while an operator acts for the tenant; `second_factor_at` is when the person
    last proved a second factor that raises a sign-in, None if they have not."""

    user_id: str | None
    client_id: str | None
    auth_time: float | None
    permissions: frozenset[str]
    rights: Rights
    visit_id: str | None = None
    second_factor_at: float | None = None


class TenantName(NamedTuple):
    """`confirmed` says that it may do all that companies may (`confirming`)."""

    id: str
    slug: str
    name: str
    confirmed: bool


@dataclass(frozen=True)
class Administration:
    """`rows` reaches this tenant's rows alone; `db` is the same transaction, for prepared
    statements, audit and outbox."""

    actor: Actor
    tenant: TenantName
    catalog: Catalog
    database: Database
    rows: Session
    db: Connection
    now: float
    origin: Origin

    def may(self, permission: str) -> bool:
        return permission in self.actor.permissions

    def check(self, permission: str) -> None:
        """Raises Forbidden."""
        if not self.may(permission):
            raise Forbidden(f"{permission} is missing")

    def check_recent(self) -> None:
        """For what would hurt: a person must have signed in a short while ago. Raises
        RecentSignInNeeded; a client proves itself with every request."""
        auth_time = self.actor.auth_time
        if auth_time is not None and self.now - auth_time > RECENT:
            raise RecentSignInNeeded

    def check_second_factor(self) -> None:
        """For what would let somebody else in: a person, who has just proven a second factor.
        Raises Forbidden for a program, or SecondFactorNeeded."""
        if self.actor.user_id is None:
            raise Forbidden("a program proves no second factor")
        proven_at = self.actor.second_factor_at
        if proven_at is None or self.now - proven_at > RECENT:
            raise SecondFactorNeeded
        self.check_recent()

    def get(self, model: type[Owned], key: str) -> Owned:
        """The tenant's own row. Raises NotFound."""
        found = self.rows.get(model, key)
        if found is None:
            raise NotFound(f"no {model.__name__} of this tenant")
        return found

    def record(self, tag: str, **detail: Any) -> None:
        """An audit event of this tenant, by this actor."""
        visit = {"visit": self.actor.visit_id} if self.actor.visit_id else {}
        audit.record(
            self.db,
            tag,
            self.now,
            self.origin,
            actor=self.actor.user_id,
            tenant=self.tenant.id,
            client=self.actor.client_id,
            **visit,
            **detail,
        )


@contextmanager
def administration(
    database: Database,
    catalog: Catalog,
    tenant: TenantName,
    actor: Actor,
    now: float,
    origin: Origin,
    *,
    read_only: bool = False,
) -> Iterator[Administration]:
    with tenancy.session(database, tenant.id, read_only=read_only) as rows:
        db = Connection.of(database, rows)
        yield Administration(actor, tenant, catalog, database, rows, db, now, origin)


_RIGHTS = sa.select(
    of_roles(sa.func.max(Role.rank)),
    of_roles(sa.func.max(sa.cast(Role.all_permissions, sa.Integer))),
    sa.select(
        joined_by_line(
            RolePermission.product_key + sa.literal_column("' '") + RolePermission.permission_key
        )
    )
    .select_from(MembershipRole)
    .join(RolePermission, RolePermission.role_id == MembershipRole.role_id)
    .where(MembershipRole.membership_id == Membership.id)
    .correlate(Membership)
    .scalar_subquery(),
    Membership.only_products,
).where(Membership.id == sa.bindparam("membership_id"))


def rights_of(db: Connection, membership_id: str) -> Rights:
    """What the membership's roles select, whatever its status is: for who is known to be in."""
    row = db.row(_RIGHTS, membership_id=membership_id)
    if row is None:
        return NOTHING
    rank, has_all, granted, only_products = row
    pairs = (line.split(" ") for line in (granted or "").splitlines())
    within = None if only_products is None else frozenset(only_products.split())
    return Rights(rank or 0, bool(has_all), frozenset((key, node) for key, node in pairs), within)


NAMED: tuple[Any, ...] = (
    *(Tenant.id, Tenant.slug, Tenant.name),
    Tenant.confirmed_at.is_not(None),
)
_TENANT_NAME = sa.select(*NAMED).where(
    Tenant.id == sa.bindparam("tenant_id"), Tenant.status == tenants.ACTIVE
)


def tenant_name(db: Connection, tenant_id: str) -> TenantName:
    """An active tenant's. Raises NotFound."""
    row = db.row(_TENANT_NAME, tenant_id=tenant_id)
    if row is None:
        raise NotFound("no active tenant of that id")
    return named(row)


def named(row: Sequence[Any]) -> TenantName:
    """Of the columns NAMED."""
    return TenantName(row[0], row[1], row[2], bool(row[3]))
