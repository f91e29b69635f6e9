"""Memberships: user x tenant, with a kind, a status and roles; and what they let one open.

`standing` is the one answer to "what may this user do there": sign-in, refresh, introspection and
userinfo all read it from the rows, never from a cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from idp.columns import ByteText, joined_by_line, joined_by_space
from idp.database import Base, Connection
from idp.directory import access_requests, tenants, users
from idp.directory.access_requests import AccessRequest
from idp.directory.catalog import ProductView
from idp.directory.reach import Reach
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.tenancy import TenantOwned

ACTIVE = "active"
DISABLED = "disabled"
ENDED = "ended"
NOT_IN_FORCE = "not_in_force"
KINDS = ("staff", "customer", "organization")
HOME = "home"
CROSS_TENANT = "cross_tenant"

IS_NOT_ENDED = sa.text("status <> 'ended'")


class Membership(TenantOwned, Base):
    """`kind` is one of KINDS (product.md, Words). One whose `source` is CROSS_TENANT came by the
    access request `access_request_id`, opens `only_products` (keys, separated by spaces), is over
    from `ends_at` on, whoever has noticed, and counts only while the request and what it rests on
    do (`STATUS_IN_FORCE`). One that has ended stays: what was granted by it never wakes up, and a
    new one may be made. `sort_name` is kept by `person_words`. An admin has chosen who
    `second_factor_selected`; the person did without one at `second_factor_skipped_at`."""

    __tablename__ = "memberships"
    __table_args__ = (
        sa.Index(
            "uq_memberships_user_tenant",
            *("user_id", "tenant_id"),
            unique=True,
            sqlite_where=IS_NOT_ENDED,
            postgresql_where=IS_NOT_ENDED,
        ),
        sa.Index("uq_memberships_id_tenant", "id", "tenant_id", unique=True),
        sa.Index("ix_memberships_by_name", "tenant_id", "sort_name", "id"),
        sa.Index("ix_memberships_by_status", "tenant_id", "status", "sort_name", "id"),
        sa.Index("ix_memberships_by_kind", "tenant_id", "kind", "sort_name", "id"),
        sa.Index("ix_memberships_by_end", "tenant_id", "ends_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"), index=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    sort_name: Mapped[str] = mapped_column(ByteText, default="")
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=ACTIVE)
    source: Mapped[str] = mapped_column(default=HOME)
    access_request_id: Mapped[str | None]
    only_products: Mapped[str | None]
    ends_at: Mapped[float | None]
    second_factor_selected: Mapped[bool] = mapped_column(server_default=sa.false())
    second_factor_skipped_at: Mapped[float | None]
    created_at: Mapped[float]

    roles: Mapped[list[MembershipRole]] = relationship(
        lazy="selectin", cascade="all, delete-orphan"
    )


class MembershipRole(TenantOwned, Base):
    """Both sides are of one tenant: the database itself refuses another tenant's role."""

    __tablename__ = "membership_roles"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["role_id", "tenant_id"], ["roles.id", "roles.tenant_id"], ondelete="CASCADE"
        ),
    )

    membership_id: Mapped[str] = mapped_column(primary_key=True)
    role_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    tenant_id: Mapped[str]


class Standing(NamedTuple):
    """One membership and what its roles select of one product. `role_keys` and `permission_keys`
    are separated by spaces, in no order, with repeats; `is_confirmed` is the tenant's.
    `access_request_id`, `only_products` and `ends_at` are a cross-tenant membership's. What follows
    is for signing in and for pages, not read with a grant: of a guest, `home_…` is the company that
    asked for them, and `grant_second_factor` whether the approval wants one."""

    membership_id: str
    tenant_id: str
    tenant: str
    kind: str
    membership_status: str
    tenant_status: str
    tenant_policy: str
    user_status: str
    role_keys: str | None
    has_all_permissions: int | None
    permission_keys: str | None
    is_confirmed: bool | int
    access_request_id: str | None = None
    only_products: str | None = None
    ends_at: float | None = None
    tenant_name: str = ""
    role_names: str | None = None
    second_factor_selected: bool | int = False
    second_factor_skipped_at: float | None = None
    grant_second_factor: bool | int | None = None
    home_id: str | None = None
    home_name: str | None = None
    home_policy: str | None = None
    home_kind: str | None = None
    home_selected: bool | int | None = None
    home_skipped_at: float | None = None

    @property
    def operator_term(self) -> None:
        """It is no operator's (`operator_standing`)."""
        return None

    @property
    def rests_on(self) -> str:
        """What consents are given for."""
        return self.membership_id

    @property
    def is_active(self) -> bool:
        """Person, membership and tenant: all three have to be in force."""
        return (
            self.user_status == users.ACTIVE
            and self.membership_status == ACTIVE
            and self.tenant_status == tenants.ACTIVE
        )

    @property
    def roles(self) -> list[str]:
        return sorted(set((self.role_keys or "").split()))

    def permissions(self, product: ProductView) -> list[str]:
        """The nodes of the product's tree that the roles select, while the standing is active."""
        if not self.is_active:
            return []
        granted = (self.permission_keys or "").split()
        bounds = (bool(self.has_all_permissions), self.only_products, bool(self.is_confirmed))
        return sorted(Reach(*bounds).selected(product, granted))

    def opens(self, product: ProductView) -> bool:
        """A role opens a product by selecting at least one node of its tree (product.md T2)."""
        return bool(self.permissions(product))


def of_roles(aggregate: sa.ColumnElement[str] | sa.Function[int]) -> sa.ScalarSelect[str]:
    """Something about all roles of the membership in whose statement it stands."""
    return (
        sa.select(aggregate)
        .select_from(MembershipRole)
        .join(Role, Role.id == MembershipRole.role_id)
        .where(MembershipRole.membership_id == Membership.id)
        .correlate(Membership)
        .scalar_subquery()
    )


_NOW: Any = sa.bindparam("now", type_=sa.Double)
_ENDED: Any = sa.literal_column(f"'{ENDED}'")
HAS_NOT_ENDED = Membership.status != _ENDED  # as the index of a person's memberships has it
STATUS_NOW = sa.case((Membership.ends_at <= _NOW, _ENDED), else_=Membership.status)


def _is_granted() -> sa.ColumnElement[bool]:
    """Of a cross-tenant membership: its request is set up and not ended, the tenant that asked is
    in force, and the person is still at home there."""
    asking, home = aliased(Tenant), aliased(Membership)
    return (
        sa.select(sa.literal_column("1"))
        .select_from(AccessRequest)
        .join(asking, asking.id == AccessRequest.tenant_id)
        .join(home, home.tenant_id == AccessRequest.tenant_id)
        .where(
            AccessRequest.id == Membership.access_request_id,
            AccessRequest.receiving_tenant_id == Membership.tenant_id,
            AccessRequest.status == sa.literal_column(f"'{access_requests.ACTIVE}'"),
            asking.status == sa.literal_column(f"'{tenants.ACTIVE}'"),
            home.user_id == Membership.user_id,
            home.source == sa.literal_column(f"'{HOME}'"),
            home.status == sa.literal_column(f"'{ACTIVE}'"),
            sa.or_(home.ends_at.is_(None), home.ends_at > _NOW),
        )
        .correlate(Membership)
        .exists()
    )


STATUS_IN_FORCE = sa.case(
    (Membership.ends_at <= _NOW, _ENDED),
    (Membership.source == sa.literal_column(f"'{HOME}'"), Membership.status),
    (_is_granted(), Membership.status),
    else_=sa.literal_column(f"'{NOT_IN_FORCE}'"),
)
STANDING_COLUMNS = (
    Membership.id,
    Tenant.id,
    Tenant.slug,
    Membership.kind,
    STATUS_IN_FORCE,
    Tenant.status,
    sa.type_coerce(Tenant.policy, sa.Text),
    User.status,
    of_roles(joined_by_space(Role.key)),
    of_roles(sa.func.max(sa.cast(Role.all_permissions, sa.Integer))),
    sa.select(joined_by_space(RolePermission.permission_key))
    .select_from(MembershipRole)
    .join(RolePermission, RolePermission.role_id == MembershipRole.role_id)
    .where(
        MembershipRole.membership_id == Membership.id,
        RolePermission.product_key == sa.bindparam("product"),
    )
    .correlate(Membership)
    .scalar_subquery(),
    Tenant.confirmed_at.is_not(None),
    Membership.access_request_id,
    Membership.only_products,
    Membership.ends_at,
)
_GRANT, _AT_HOME, _HOME = aliased(AccessRequest), aliased(Membership), aliased(Tenant)
_STANDINGS = (
    sa.select(
        *STANDING_COLUMNS,
        Tenant.name,
        of_roles(joined_by_line(Role.name)),
        Membership.second_factor_selected,
        Membership.second_factor_skipped_at,
        _GRANT.second_factor,
        _HOME.id,
        _HOME.name,
        sa.type_coerce(_HOME.policy, sa.Text),
        _AT_HOME.kind,
        _AT_HOME.second_factor_selected,
        _AT_HOME.second_factor_skipped_at,
    )
    .select_from(Membership)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .join(User, User.id == Membership.user_id)
    .outerjoin(_GRANT, _GRANT.id == Membership.access_request_id)
    .outerjoin(_HOME, _HOME.id == _GRANT.tenant_id)
    .outerjoin(
        _AT_HOME,
        sa.and_(
            _AT_HOME.user_id == Membership.user_id,
            _AT_HOME.tenant_id == _GRANT.tenant_id,
            _AT_HOME.status != _ENDED,
        ),
    )
    .where(Membership.user_id == sa.bindparam("user_id"), HAS_NOT_ENDED)
    .order_by(Tenant.name, Tenant.slug)
)


_END = (
    sa.update(Membership)
    .where(Membership.id == sa.bindparam("membership_id"))
    .values(status=_ENDED)
)


def end(db: Connection, membership_id: str) -> None:
    """For good: it stays as it is, and a new one may be made."""
    db.run(_END, membership_id=membership_id)


def standings(db: Connection, user_id: str, product_key: str, now: float) -> list[Standing]:
    """All memberships of a user that have not ended, active or not, by tenant name."""
    return [
        Standing._make(row)
        for row in db.rows(_STANDINGS, user_id=user_id, product=product_key, now=now)
    ]
