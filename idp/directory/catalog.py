"""What changes seldom and is asked always: products and clients, loaded once per process.

It is gone on from by what has changed (`catalog_version.py`). What must take effect at once
(a disabled person, an ended session) is never here: it is read with its row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

import orjson
import sqlalchemy as sa

from idp.columns import JsonText
from idp.database import Base, Database
from idp.directory import clients, details_types, tenants
from idp.directory.catalog_version import changed_clients, read_version
from idp.directory.clients import Client, ClientSecret
from idp.directory.details_types import DetailsType
from idp.directory.products import JWT, Permission, Product
from idp.directory.registrations import ClientRegistration
from idp.directory.tenants import Tenant
from idp.directory.upstream_providers import IdentityProviders
from idp.origins import origin_of

Row = TypeVar("Row", bound=Base)


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
    one of a suspended tenant. It is as it was at `version`, or newer."""

    version: int
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


EMPTY = Catalog(-1, {}, {}, {}, IdentityProviders(), frozenset())


def _plain(mapped: type[Row]) -> type[Row]:
    """The same names, but each only looked up: the ORM's are calls, and a request makes fifteen."""
    properties = {name: it for name, it in vars(mapped).items() if isinstance(it, property)}
    return cast(type[Row], type(mapped.__name__, (), properties))


class _SharedJson(JsonText):
    """Values that are alike are one: most are empty, and nobody changes them."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else _read(value)


_read = lru_cache(4096)(orjson.loads)


def _shared(column: Any) -> Any:
    is_json = isinstance(column.type, JsonText)
    return sa.type_coerce(column, _SharedJson).label(column.name) if is_json else column


_PlainClient, _PlainSecret = _plain(Client), _plain(ClientSecret)

_PRODUCTS = sa.select(Product.__table__).order_by(Product.position, Product.key)
_PERMISSIONS = sa.select(Permission.product_key, Permission.key, Permission.name).order_by(
    Permission.position
)
_CLIENTS = (
    sa.select(*map(_shared, Client.__table__.columns))
    .outerjoin(Tenant, Tenant.id == Client.tenant_id)
    .where(
        Client.status == clients.ACTIVE,
        sa.or_(Client.tenant_id.is_(None), Tenant.status == tenants.ACTIVE),
    )
)
_SECRETS = sa.select(ClientSecret.__table__)
_SELF_REGISTERED = sa.select(ClientRegistration.client_id)
_MACHINE_TENANTS = sa.select(Tenant.id, Tenant.slug).join(Client, Client.tenant_id == Tenant.id)


def load_catalog(
    database: Database, providers: IdentityProviders, known: Catalog = EMPTY
) -> Catalog:
    """What is `known` is gone on from: of clients, those alone are read that have changed since."""
    with database.session(read_only=True) as session:
        rows = session.connection()
        version = read_version(rows)
        changed = changed_clients(rows, known.version, version)
        kept = EMPTY if changed is None else _without(known, changed)
        tenants_of = rows.execute(_of(changed, _MACHINE_TENANTS, Client.client_id))
        own = rows.scalars(_of(changed, _SELF_REGISTERED, ClientRegistration.client_id))
        return Catalog(
            version=version,
            products=_products(rows),
            clients=kept.clients | {each.client_id: each for each in _clients(rows, changed)},
            machine_tenants=kept.machine_tenants | {row.id: row.slug for row in tenants_of},
            providers=providers,
            self_registered=kept.self_registered.union(own),
        )


def _without(known: Catalog, changed: set[str]) -> Catalog:
    kept = {name: client for name, client in known.clients.items() if name not in changed}
    return replace(known, clients=kept, self_registered=known.self_registered - changed)


def _of(
    changed: set[str] | None, statement: sa.Select[*tuple[Any, ...]], column: Any
) -> sa.Select[Any]:
    return statement if changed is None else statement.where(column.in_(changed))


def _clients(rows: sa.Connection, changed: set[str] | None) -> Iterator[Client]:
    secrets = defaultdict[str, list[ClientSecret]](list)
    found = rows.execute(_of(changed, _SECRETS, ClientSecret.client_id))
    for secret in _made(_PlainSecret, found):
        secrets[secret.client_id].append(secret)
    for client in _made(_PlainClient, rows.execute(_of(changed, _CLIENTS, Client.client_id))):
        client.secrets = secrets[client.client_id]
        yield client


def _made(plain: type[Row], found: sa.CursorResult[Any]) -> Iterator[Row]:
    """By rows: the ORM would take many times as long, in each process."""
    names = tuple(found.keys())
    for row in found:
        each = plain.__new__(plain)
        each.__dict__.update(zip(names, row, strict=True))
        yield each


def _products(rows: sa.Connection) -> dict[str, ProductView]:
    names = defaultdict[str, dict[str, str]](dict)
    for node in rows.execute(_PERMISSIONS):
        names[node.product_key][node.key] = node.name
    return {row.key: _view(row, names[row.key]) for row in rows.execute(_PRODUCTS)}


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
