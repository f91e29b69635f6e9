"""What changes seldom and is asked always: products and clients, loaded once per process.

Every change bumps one version row in the same transaction (`touch`). A process looks at that row
at most once a second, so a change is seen everywhere within a second. What must take effect at once
(a disabled person, an ended session) is never here: it is read with its row.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection, Database
from idp.directory import clients, details_types, tenants
from idp.directory.clients import Client, ClientSecret
from idp.directory.details_types import DetailsType
from idp.directory.products import JWT, Permission, Product
from idp.directory.registrations import ClientRegistration
from idp.directory.tenants import Tenant
from idp.directory.upstream_providers import IdentityProviders
from idp.errors import StoreUnavailable
from idp.origins import origin_of

FRESH_FOR = 1.0

Loaded = TypeVar("Loaded")
Row = TypeVar("Row", bound=Base)


class CatalogVersion(Base):
    """One row."""

    __tablename__ = "catalog_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


_READ_VERSION = sa.select(CatalogVersion.version)
_TOUCH = sa.update(CatalogVersion).values(version=CatalogVersion.version + 1)


def touch(db: Connection) -> None:
    """Say that products, clients, signing keys or identity providers have changed."""
    db.run(_TOUCH)


class Versioned(Generic[Loaded]):
    """A value made from the database by `load`, made again when the version row has moved."""

    def __init__(self, database: Database, load: Callable[[], Loaded]) -> None:
        self._database = database
        self._load = load
        self._lock = threading.Lock()
        self._version = -1
        self._checked_at = float("-inf")
        self._value: Loaded | None = None

    def current(self, now: float) -> Loaded:
        """At most a second old. Raises StoreUnavailable rather than serve an older one."""
        value = self._value
        if value is not None and abs(now - self._checked_at) < FRESH_FOR:
            return value
        return self.newest(now, FRESH_FOR)

    def newest(self, now: float, fresh_for: float = 0.0) -> Loaded:
        """As it is now, or was `fresh_for` seconds ago at most. Whoever may look holds a
        connection, so that nobody waits for the lock and keeps the last of them."""
        with self._database.connection() as db, self._lock:
            return self._refreshed(db, now, fresh_for)

    def last_known(self, now: float) -> Loaded:
        """The same, but an older one while the database is away, or another thread waits to learn
        whether it is: for what is true without it."""
        if self._value is not None and self._lock.locked():
            return self._value
        try:
            return self.current(now)
        except StoreUnavailable:
            if self._value is None:
                raise
            return self._value

    def _refreshed(self, db: Connection, now: float, fresh_for: float) -> Loaded:
        if self._value is None or abs(now - self._checked_at) >= fresh_for:
            row = db.row(_READ_VERSION)
            version = int(row[0]) if row else 0
            if self._value is None or version != self._version:
                self._value, self._version = self._load(), version
            self._checked_at = now
        return self._value


@dataclass(frozen=True)
class ProductView:
    """A product as everybody else sees it."""

    key: str
    name: str
    description: str
    color: str
    icon: str
    resource: str
    launch_client_id: str | None
    permission_keys: frozenset[str]
    is_platform: bool = False
    second_factor: bool = False
    second_factor_minutes: int | None = None
    password_max_age_days: int | None = None
    password_max_age_since: float = 0.0
    sign_up: bool = False
    identity_providers: tuple[str, ...] = ()
    refuses_federated: bool = False
    access_token_format: str = JWT
    permission_names: Mapping[str, str] = field(default_factory=dict)
    details_types: Mapping[str, DetailsType] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalog:
    """Products in their order, clients by id, the slugs of the tenants that have machines, the
    identity providers, and which clients registered themselves. A disabled client is not here, nor
    one of a suspended tenant."""

    products: dict[str, ProductView]
    clients: dict[str, Client]
    machine_tenants: dict[str, str]
    providers: IdentityProviders
    self_registered: frozenset[str]

    def product_of(self, client: Client) -> ProductView:
        return self.products[client.product_key]

    @cached_property
    def details_types(self) -> tuple[str, ...]:
        """Of all products, by name."""
        return tuple(sorted(n for product in self.products.values() for n in product.details_types))

    @cached_property
    def by_resource(self) -> dict[str, ProductView]:
        """Products by what stands in the `aud` of their access tokens."""
        return {product.resource: product for product in self.products.values()}

    def launch_uri(self, product: ProductView) -> str | None:
        """Where a browser is sent to be signed into the product (OpenID Connect Core section 4)."""
        client = self.clients.get(product.launch_client_id or "")
        return client.initiate_login_uri if client else None

    @cached_property
    def web_origins(self) -> frozenset[str]:
        """Origins of public web clients: the ones whose scripts may call us (CORS)."""
        found = (
            origin_of(uri)
            for client in self.clients.values()
            if client.is_public and client.application_type == "web"
            for uri in client.redirect_uris
        )
        return frozenset(filter(None, found))


class _Plain:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def _plain(mapped: type[Row]) -> type[Row]:
    """The same names, but each only looked up: the ORM's are calls, and a request makes fifteen."""
    properties = {name: it for name, it in vars(mapped).items() if isinstance(it, property)}
    return cast(type[Row], type(mapped.__name__, (_Plain,), properties))


_PlainClient, _PlainSecret = _plain(Client), _plain(ClientSecret)

_PRODUCTS = sa.select(Product.__table__).order_by(Product.position, Product.key)
_PERMISSIONS = sa.select(Permission.product_key, Permission.key, Permission.name).order_by(
    Permission.position
)
_CLIENTS = (
    sa.select(Client.__table__)
    .outerjoin(Tenant, Tenant.id == Client.tenant_id)
    .where(
        Client.status == clients.ACTIVE,
        sa.or_(Client.tenant_id.is_(None), Tenant.status == tenants.ACTIVE),
    )
)
_SECRETS = sa.select(ClientSecret.__table__)
_SELF_REGISTERED = sa.select(ClientRegistration.client_id)
_MACHINE_TENANTS = sa.select(Tenant.id, Tenant.slug).join(Client, Client.tenant_id == Tenant.id)


def load_catalog(database: Database, providers: IdentityProviders) -> Catalog:
    """By rows: the ORM would take three times as long, at each change and in each process."""
    with database.session(read_only=True) as session:
        rows = session.connection()
        names, secrets = defaultdict[str, dict[str, str]](dict), defaultdict[str, list[Any]](list)
        for node in rows.execute(_PERMISSIONS):
            names[node.product_key][node.key] = node.name
        for secret in rows.execute(_SECRETS).mappings():
            secrets[secret["client_id"]].append(_PlainSecret(**secret))
        found = (
            _PlainClient(**row, secrets=secrets[row["client_id"]])
            for row in rows.execute(_CLIENTS).mappings()
        )
        return Catalog(
            products={row.key: _view(row, names[row.key]) for row in rows.execute(_PRODUCTS)},
            clients={client.client_id: client for client in found},
            machine_tenants={row.id: row.slug for row in rows.execute(_MACHINE_TENANTS)},
            providers=providers,
            self_registered=frozenset(rows.scalars(_SELF_REGISTERED)),
        )


def _view(product: sa.Row[Any], permissions: dict[str, str]) -> ProductView:
    return ProductView(
        key=product.key,
        name=product.name,
        description=product.description,
        color=product.color,
        icon=product.icon,
        resource=product.resource,
        launch_client_id=product.launch_client_id,
        permission_keys=frozenset(permissions),
        is_platform=product.is_platform,
        second_factor=product.second_factor,
        second_factor_minutes=product.second_factor_minutes,
        password_max_age_days=product.password_max_age_days,
        password_max_age_since=product.password_max_age_since or 0.0,
        sign_up=product.sign_up,
        identity_providers=tuple(product.identity_providers.split()),
        refuses_federated=product.refuses_federated,
        access_token_format=product.access_token_format,
        permission_names=permissions,
        details_types=details_types.read(product.authorization_details_types),
    )
