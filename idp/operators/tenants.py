"""Tenants as operators see them: found, made, confirmed, suspended, resumed."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import catalog_version, invitations, paging, readers, tenants, users
from idp.directory.acting import Forbidden, Mistake, NotFound
from idp.directory.clients import Client
from idp.directory.invitations import Inviter
from idp.directory.memberships import ACTIVE, Membership
from idp.directory.operating import Operation
from idp.directory.readers import Reader
from idp.directory.roles import ACCOUNT_ADMIN, Role
from idp.directory.tenants import Tenant, folded
from idp.directory.users import canonical_email
from idp.errors import told
from idp.grants import sign_outs
from idp.operators import tenant_access
from idp.operators.filling_in import filled_in
from idp.registration import tenants as registration
from idp.registration.tenant_form import TenantForm
from idp.secret_values import SecretKeys

PAGE = 50
MANY = 1000
LAST = "\U0010ffff"
MAX_SEARCH = 120
EVERYWHERE = ""  # operators' cursors are of no tenant
UNCONFIRMED = "unconfirmed"  # what nobody has confirmed, and has not ended


class Wanted(NamedTuple):
    """`search` is the beginning of a name or of a slug, `status` a tenant's or UNCONFIRMED. An
    empty field narrows nothing."""

    search: str = ""
    status: str = ""


class Listed(NamedTuple):
    id: str
    slug: str
    name: str
    status: str
    created_at: float
    confirmed_at: float | None


class Page(NamedTuple):
    """`next` is the cursor of the page that follows, None on the last one."""

    tenants: list[Listed]
    next: str | None


class Invited(NamedTuple):
    """Who is to be an account admin, and the language `locale` for who has no account. `keys` seal
    the letter."""

    keys: SecretKeys
    email: str
    locale: str


class Facts(NamedTuple):
    """How many people have an active membership, how many of them an open session of a product in
    it, counted to one more than MANY, and how many clients it has: what suspending or ending it
    reaches."""

    people: int
    signed_in: int
    clients: int

    @property
    def are_many_signed_in(self) -> bool:
        return self.signed_in > MANY


_COLUMNS: tuple[Any, ...] = (
    *(Tenant.id, Tenant.slug, Tenant.name, Tenant.status, Tenant.created_at),
    *(Tenant.confirmed_at, Tenant.name_folded),
)
_LISTED: sa.Select[Any] = sa.select(*_COLUMNS).order_by(Tenant.name_folded, Tenant.id)
_ORDER = sa.tuple_(Tenant.name_folded, Tenant.id)
_PEOPLE = sa.select(sa.func.count()).where(
    Membership.tenant_id == sa.bindparam("tenant_id"), Membership.status == ACTIVE
)
_CLIENTS = sa.select(sa.func.count()).where(Client.tenant_id == sa.bindparam("tenant_id"))


def find_tenants(
    operation: Operation, keys: SecretKeys, wanted: Wanted, cursor: str = "", size: int = PAGE
) -> Page:
    """In the order of their names. Raises Forbidden, or CursorRefused."""
    operation.check("tenants.manage")
    bound = ("tenants", *wanted)
    statement = _narrowed(wanted)
    if cursor:
        after = paging.opened(keys, EVERYWHERE, bound, cursor)
        statement = statement.where(sa.tuple_(*map(sa.literal, after)) < _ORDER)
    rows = operation.rows.execute(statement.limit(size + 1)).all()
    found = [Listed(*row[:-1]) for row in rows[:size]]
    if len(rows) <= size:
        return Page(found, None)
    last = rows[size - 1]
    return Page(found, paging.seal(keys, EVERYWHERE, bound, (last.name_folded, last.id)))


def _narrowed(wanted: Wanted) -> sa.Select[Any]:
    statement = _LISTED
    if wanted.status == UNCONFIRMED:
        statement = statement.where(tenants.IS_UNCONFIRMED, Tenant.status != tenants.ENDED)
    elif wanted.status:
        statement = statement.where(Tenant.status == wanted.status)
    start = folded(wanted.search.strip()[:MAX_SEARCH])
    if not start:
        return statement
    begins = [
        sa.and_(column >= start, column < start + LAST)
        for column in (Tenant.name_folded, Tenant.slug)
    ]
    return statement.where(sa.or_(*begins))


def get_tenant(operation: Operation, slug: str) -> Tenant:
    """Raises Forbidden, or NotFound."""
    operation.check("tenants.manage")
    found = operation.rows.scalar(sa.select(Tenant).where(Tenant.slug == slug))
    if found is None:
        raise NotFound("no such tenant")
    return found


def facts(operation: Operation, tenant: Tenant) -> Facts:
    operation.check("tenants.manage")
    values = {"tenant_id": tenant.id}
    return Facts(
        operation.rows.scalar(_PEOPLE, values) or 0,
        tenant_access.count_signed_in(operation.db, tenant.id, operation.now, MANY + 1),
        operation.rows.scalar(_CLIENTS, values) or 0,
    )


def create(operation: Operation, slug: str, name: str, invited: Invited | None = None) -> Tenant:
    """With its account admin's role, and an invitation to whoever is the first to have it. Raises
    Forbidden, or Mistake."""
    operation.check("tenants.manage")
    form = filled_in(TenantForm, {"slug": slug, "name": name.strip()})
    if invited is not None:
        _check_address(operation, invited.email)
    rows = operation.rows
    if rows.scalar(sa.select(Tenant.id).where(Tenant.slug == form.slug)) is not None:
        raise _taken()
    try:
        with rows.begin_nested():
            tenant = registration.make(rows, form, operation.now)
    except sa.exc.IntegrityError:
        raise _taken() from None  # by somebody in the same moment
    operation.record("tenant.created", tenant=tenant.id, slug=tenant.slug, name=tenant.name)
    if invited is not None:
        _invite(operation, tenant, invited)
    return tenant


def invite_account_admin(operation: Operation, tenant: Tenant, invited: Invited) -> None:
    """Only where no account admin can sign in: whoever is one invites others, and an operator does
    not get into a tenant by this. Raises Forbidden, RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    _check_address(operation, invited.email)
    if tenant.status != tenants.ACTIVE or has_account_admin(operation, tenant):
        raise Mistake(email=told("This tenant has an account admin, who invites others."))
    _invite(operation, tenant, invited)


def has_account_admin(operation: Operation, tenant: Tenant) -> bool:
    return bool(account_admins(operation, tenant))


def account_admins(operation: Operation, tenant: Tenant) -> list[Reader]:
    """Those who can sign in. Raises Forbidden."""
    operation.check("tenants.manage")
    return readers.account_admins(operation.db, tenant.id, operation.now)


def _check_address(operation: Operation, email: str) -> None:
    canonical = canonical_email(email)
    if canonical is None:
        raise Mistake(email=told("Enter an e-mail address."))
    person = users.find_by_email(operation.db, canonical)
    if person is not None and person.id == operation.actor.user_id:
        raise Mistake(email=told("An operator makes nobody of themselves in a company."))


def _invite(operation: Operation, tenant: Tenant, invited: Invited) -> None:
    """Whoever was invited before, and has not come, is invited no more."""
    for revoked in invitations.revoke_operators(operation.rows, tenant.id, operation.now):
        operation.record("invitation.revoked", tenant=tenant.id, invitation=revoked)
    own = sa.select(Role.id).where(Role.tenant_id == tenant.id, Role.key == ACCOUNT_ADMIN)
    sent = invitations.send(
        operation.db,
        invited.keys,
        tenant=(tenant.id, tenant.name, tenant.slug),
        email=invited.email,
        kind="staff",
        role_ids=[operation.rows.scalars(own).one()],
        inviter=Inviter(invitations.OPERATOR, operation.actor.user_id, operation.actor.client_id),
        locale=invited.locale,
        now=operation.now,
    )
    operation.record(
        "invitation.sent",
        tenant=tenant.id,
        invitation=sent,
        email=canonical_email(invited.email),
        kind="staff",
        roles=[ACCOUNT_ADMIN],
    )


def _taken() -> Mistake:
    return Mistake(slug=told("This slug is another tenant's, or was: choose another one."))


def confirm(operation: Operation, tenant: Tenant) -> None:
    """That who founded it is who they say: from now on it may do all that companies may, and the
    log has its name. Nobody says so of a company that they are in, or were. One conditional write.
    Raises Forbidden, RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    if _was_ever_in(operation, tenant):
        raise Forbidden("one of its people")
    confirmed = operation.rows.execute(
        sa.update(Tenant)
        .where(Tenant.id == tenant.id, tenants.IS_UNCONFIRMED, Tenant.status != tenants.ENDED)
        .values(confirmed_at=operation.now, founded_from=None)
        .returning(Tenant.id)
    ).first()
    if confirmed is None:
        raise _changed()
    operation.record("tenant.confirmed", tenant=tenant.id, slug=tenant.slug, name=tenant.name)


def _was_ever_in(operation: Operation, tenant: Tenant) -> bool:
    """Whoever could leave and then decide would decide about their own."""
    own = sa.select(Membership.id).where(
        Membership.tenant_id == tenant.id, Membership.user_id == operation.actor.user_id
    )
    return operation.rows.scalar(own.limit(1)) is not None


def suspend(operation: Operation, tenant: Tenant) -> None:
    """Nobody opens anything in it from now on, nor in others at its request. What they held is over
    for good, and the products that they are signed into by either are told. Raises Forbidden,
    RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    _move(operation, tenant, tenants.ACTIVE, tenants.SUSPENDED)
    sign_outs.begin(operation.db, tenant.id, operation.now)
    operation.record("tenant.suspended", tenant=tenant.id)


def resume(operation: Operation, tenant: Tenant) -> None:
    """Everything is as it was, but that people sign into the products anew."""
    operation.check("tenants.manage")
    operation.check_recent()
    _move(operation, tenant, tenants.SUSPENDED, tenants.ACTIVE)
    sign_outs.refuse_earlier(operation.db, tenant.id, operation.now)
    operation.record("tenant.resumed", tenant=tenant.id)


def _move(operation: Operation, tenant: Tenant, before: str, after: str) -> None:
    """One conditional write: of two operators at once, one does it."""
    moved = operation.rows.execute(
        sa.update(Tenant)
        .where(Tenant.id == tenant.id, Tenant.status == before)
        .values(status=after)
        .returning(Tenant.id)
    ).first()
    if moved is None:
        raise _changed()
    catalog_version.touch_clients_of(operation.db, tenant.id)


def _changed() -> Mistake:
    return Mistake(status=told("Somebody has changed this tenant meanwhile. Look again."))
