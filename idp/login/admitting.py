"""Who a company's own provider signs in: its members, and those whom the company has it admit.

Whoever was a member and is none any more, whom an admin has refused or has still to judge, or who
has the address of somebody who had it here, is admitted by an admin or not at all: to the provider
they may be as good as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import audit, tenancy
from idp.audit import Origin
from idp.database import Connection, Database
from idp.directory import domain_names, former_addresses, granting, homes, joining, users
from idp.directory.company_provider_form import may_admit
from idp.directory.domains import Domain, RoutedDomain
from idp.directory.identity_providers import ACTIVE, CompanyProvider
from idp.directory.join_requests import JoinRequest
from idp.directory.joining import UNINVITED
from idp.directory.memberships import Membership
from idp.directory.roles import Role
from idp.directory.upstream_providers import UpstreamProvider
from idp.directory.users import Person
from idp.federation.identity import Identity


@contextmanager
def company(database: Database, tenant_id: str) -> Iterator[tuple[Session, Connection]]:
    """In its turn: who changes its people or providers in another transaction has done so."""
    with tenancy.session(database, tenant_id) as rows:
        granting.wait_for_turn_of(rows, tenant_id)
        yield rows, Connection.of(database, rows)


def member(
    rows: Session,
    db: Connection,
    upstream: UpstreamProvider,
    found: Identity,
    locale: str,
    now: float,
    origin: Origin,
) -> str | None:
    """The person with that address, if the company has them, or admits them now; `locale` is the
    language of somebody new."""
    assert found.email
    provider = rows.get(CompanyProvider, upstream.key)
    if provider is None or provider.status != ACTIVE or provider.issuer != found.issuer:
        return None
    person = _who_keeps(db, found.email)
    if person and (person.status != users.ACTIVE or not users.has_verified_email(db, person.id)):
        return None
    if person and homes.is_at_home(db, person.id, upstream.tenant_id):
        return person.id
    if (person and _is_known(rows, person.id)) or _was_somebodys(db, provider, found.email):
        return None
    role = _role(rows, provider, found.email)
    if role is None:
        return None
    user_id = person.id if person else _made(db, found, locale, now)
    return _admitted(db, upstream, user_id, role, now, origin) if user_id else None


def _who_keeps(db: Connection, email: str) -> Person | None:
    """Whoever has the address, until this transaction is over."""
    person = users.find_by_email(db, email)
    if person:
        users.keep_as_is(db, person.id)
        there = users.find_by_email(db, email)
        return there if there and there.id == person.id else None
    return None


def _is_known(rows: Session, user_id: str) -> bool:
    asked = sa.select(JoinRequest.id).where(JoinRequest.user_id == user_id)
    was_in = sa.select(Membership.id).where(Membership.user_id == user_id)
    return rows.scalar(sa.union_all(asked, was_in).limit(1)) is not None


def _was_somebodys(db: Connection, provider: CompanyProvider, email: str) -> bool:
    return former_addresses.is_known(db, provider.tenant_id, email)


def _role(rows: Session, provider: CompanyProvider, email: str) -> Role | None:
    """What it admits with, as the company says now: a role of its own that makes nobody an admin,
    while the domain is surely its own."""
    domain = domain_names.of_address(email)
    if not provider.admits_role_id or not _is_surely_its_own(rows, provider, domain):
        return None
    role = rows.get(Role, provider.admits_role_id)
    return role if role and may_admit(role) else None


def _is_surely_its_own(rows: Session, provider: CompanyProvider, domain: str | None) -> bool:
    routed = (
        sa.select(Domain)
        .join(RoutedDomain, RoutedDomain.domain_id == Domain.id)
        .where(
            RoutedDomain.provider_id == provider.id,
            Domain.name == domain,
            Domain.verified_at.is_not(None),
        )
    )
    its = rows.scalar(routed)
    return its is not None and its.doubt is None


def _made(db: Connection, found: Identity, locale: str, now: float) -> str | None:
    """A person with the address that the company vouches for, and no password."""
    email = found.email or ""
    return joining.make_user(db, email, email, found.name, locale, now, verified_at=now)


def _admitted(
    db: Connection,
    upstream: UpstreamProvider,
    user_id: str,
    role: Role,
    now: float,
    origin: Origin,
) -> str | None:
    membership_id = joining.join(db, user_id, upstream.tenant_id, UNINVITED, [role.id], now)
    if membership_id is None:
        return None
    about = {"actor": user_id, "person": user_id, "tenant": upstream.tenant_id}
    by = {"membership": membership_id, "provider": upstream.key}
    audit.record(db, "person.admitted", now, origin, **about, **by, after=[role.key])
    return user_id
