"""Other OpenID providers that people may sign in with: those that products take, like Google
(product.md S4), and a company's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection, Database
from idp.directory import tenants
from idp.directory.domains import Domain, RoutedDomain
from idp.directory.tenants import Tenant
from idp.directory.upstream_providers import IdentityProviders, UpstreamProvider
from idp.settings import LOOPBACK_HOSTS
from idp.tenancy import TenantOwned, every_tenant

ACTIVE, DISABLED = "active", "disabled"
SECRET_PURPOSE = "client secret at an identity provider"


class IdentityProvider(Base):
    """One of the platform's, which products take. `issuer` is as its ID tokens say it; `client_id`
    and the secret are ours there. Of people at Google, a `hosted_domain` takes those alone whose
    company has it. One that is DISABLED signs nobody in, and links nobody."""

    __tablename__ = "identity_providers"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[str]
    hosted_domain: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default=sa.literal_column(f"'{ACTIVE}'"))


class CompanyProvider(TenantOwned, Base):
    """A company's own: it signs people in to that company alone, whose address is of one of the
    domains that route to it (`RoutedDomain`). `is_only_way` says that those come in by nothing
    else, but for who is `left_out` (ids of users). Who has no membership yet gets one with the role
    `admits_role_id`, if that is a role of the company's. A proof whose `acr` or one of whose `amr`
    is in `trusted_acr` or `trusted_amr` counts as a second factor there. Lists are separated by
    spaces, and a `hosted_domain` is as the platform's."""

    __tablename__ = "company_providers"
    __table_args__ = (sa.UniqueConstraint("id", "tenant_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), index=True)
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[str]
    hosted_domain: Mapped[str] = mapped_column(server_default="")
    email_claim: Mapped[str]
    name_claim: Mapped[str]
    is_only_way: Mapped[bool]
    left_out: Mapped[str]
    admits_role_id: Mapped[str | None]
    trusted_acr: Mapped[str]
    trusted_amr: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[float]


class Named(NamedTuple):
    name: str
    is_companys: bool | int


_NAMED = sa.union_all(
    sa.select(CompanyProvider.name, sa.true()).where(CompanyProvider.id == sa.bindparam("key")),
    sa.select(IdentityProvider.name, sa.false()).where(IdentityProvider.key == sa.bindparam("key")),
)


def named(db: Connection, key: str) -> Named | None:
    """How people know a provider, also one that is disabled; None once it is removed."""
    row = db.row(_NAMED, key=key)
    return Named._make(row) if row else None


def return_uri(our_issuer: str, key: str) -> str:
    """Where a provider sends people back to, which is registered there: one for each, so that none
    can answer for another (RFC 9700 section 4.4.2)."""
    return f"{our_issuer}/login/upstream/{key}/return"


def checked_issuer(claimed: str) -> str:
    """As it is. Raises ValueError for what no provider is found by (OpenID Connect Discovery 1.0
    section 3)."""
    parts = urlsplit(claimed)
    schemes = ("https", "http") if parts.hostname in LOOPBACK_HOSTS else ("https",)
    is_plain = claimed.isascii() and claimed.isprintable() and " " not in claimed
    is_found = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    if parts.scheme not in schemes or not is_plain or not is_found:
        raise ValueError("an issuer is an https address")
    if "?" in claimed or "#" in claimed:
        raise ValueError("an issuer is an address without query or fragment")
    return claimed


def load_identity_providers(database: Database) -> IdentityProviders:
    with every_tenant(database, read_only=True) as session:
        rows = session.connection()
        found = [_of_platform(row) for row in rows.execute(_PLATFORMS)]
        found.extend(_of_companies(rows))
    return IdentityProviders({each.key: each for each in found})


_PLATFORMS = sa.select(IdentityProvider.__table__).where(IdentityProvider.status == ACTIVE)
_ROUTED = (
    sa.select(RoutedDomain.provider_id, Domain.name)
    .join(Domain, Domain.id == RoutedDomain.domain_id)
    .where(Domain.verified_at.is_not(None))
)
_COMPANIES = (
    sa.select(CompanyProvider.__table__, Tenant.slug)
    .join(Tenant, Tenant.id == CompanyProvider.tenant_id)
    .where(
        CompanyProvider.status == ACTIVE,
        Tenant.status == tenants.ACTIVE,
        Tenant.confirmed_at.is_not(None),
    )
)


def _of_platform(row: sa.Row[Any]) -> UpstreamProvider:
    return UpstreamProvider(
        row.key, row.name, row.issuer, row.client_id, row.sealed_secret, row.hosted_domain
    )


def _of_companies(rows: sa.Connection) -> Iterator[UpstreamProvider]:
    names = defaultdict(set)
    for routed in rows.execute(_ROUTED):
        names[routed.provider_id].add(routed.name)
    for row in rows.execute(_COMPANIES):
        yield _of_company(row, frozenset(names[row.id]))


def _of_company(row: sa.Row[Any], domains: frozenset[str]) -> UpstreamProvider:
    return UpstreamProvider(
        key=row.id,
        name=row.name,
        issuer=row.issuer,
        client_id=row.client_id,
        sealed_secret=row.sealed_secret,
        hosted_domain=row.hosted_domain,
        email_claim=row.email_claim,
        name_claim=row.name_claim,
        tenant_id=row.tenant_id,
        tenant=row.slug,
        domains=domains,
        is_only_way=row.is_only_way,
        left_out=frozenset(row.left_out.split()),
        trusted_acr=frozenset(row.trusted_acr.split()),
        trusted_amr=frozenset(row.trusted_amr.split()),
    )
