"""OAuth clients as operators see them. What one may be is the rule of set-up files
(`registration/clients.py`), and its secret is shown once.

A client of a built-in product is a way into what operators and admins do, and its secret is worth
as much as the client. Therefore no machine touches one; a client of `platform` is touched by who
looks after operators, within their own permissions; and one of `console` is made and changed by no
operator, who would have standing access to a company by it: they disable it, and that is all
(docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import catalog_version, clients, paging
from idp.directory.acting import Forbidden, Mistake, NotFound
from idp.directory.clients import Client, ClientSecret
from idp.directory.operating import Operation
from idp.directory.products import BUILT_IN, CONSOLE, Product
from idp.errors import told
from idp.operators.filling_in import filled_in, told_by_field
from idp.operators.tenants import EVERYWHERE, PAGE
from idp.registration.changes import Change, fields_of
from idp.registration.client_form import ClientForm
from idp.registration.client_secrets import NO_FILES, WITH_SECRET, SecretKeeper
from idp.registration.clients import apply_clients
from idp.registration.products import check_launch_clients
from idp.secret_values import SecretKeys, fingerprint, new_secret

OVERLAP_HOURS = (0, 1, 24, 72, 168, 720)
SHOWN_OF_FINGERPRINT = 16
MOST_SECRETS = 5


class Wanted(NamedTuple):
    """`search` is the beginning of a client's id. An empty field narrows nothing."""

    search: str = ""
    product: str = ""


class Page(NamedTuple):
    clients: list[Client]
    next: str | None


@dataclass(frozen=True, slots=True)
class Saved:
    """`secret` is the one that was made, to be shown once. It stays out of any `repr`."""

    client: Client
    secret: str | None = field(repr=False)


class KnownSecret(NamedTuple):
    """`fingerprint` is the beginning of its SHA-256: it tells secrets apart, and nothing of them.
    `expires_at` is None for one that stays."""

    fingerprint: str
    created_at: float
    expires_at: float | None
    is_valid: bool


def find_clients(
    operation: Operation, keys: SecretKeys, wanted: Wanted, cursor: str = "", size: int = PAGE
) -> Page:
    """In the order of their ids. Raises Forbidden, or CursorRefused."""
    operation.check("products.manage")
    statement = sa.select(Client).order_by(Client.client_id)
    if wanted.product:
        statement = statement.where(Client.product_key == wanted.product)
    if wanted.search:
        statement = statement.where(Client.client_id.startswith(wanted.search, autoescape=True))
    bound = ("clients", *wanted)
    if cursor:
        (after,) = paging.opened(keys, EVERYWHERE, bound, cursor)
        statement = statement.where(Client.client_id > after)
    rows = list(operation.rows.scalars(statement.limit(size + 1)))
    if len(rows) <= size:
        return Page(rows, None)
    return Page(rows[:size], paging.seal(keys, EVERYWHERE, bound, (rows[size - 1].client_id,)))


def get_client(operation: Operation, client_id: str) -> Client:
    """Raises Forbidden, or NotFound."""
    operation.check("products.manage")
    found = operation.rows.get(Client, client_id)
    if found is None:
        raise NotFound("no such client")
    return found


def register(operation: Operation, values: Mapping[str, Any]) -> Saved:
    """`values` are a ClientForm's. Raises Forbidden, RecentSignInNeeded, or Mistake."""
    _check_may_write(operation)
    form = filled_in(ClientForm, values)
    if operation.rows.get(Client, form.client_id) is not None:
        raise Mistake(client_id=told("This id is another client's."))
    _check_may_touch(operation, form.product, (*form.permissions, *form.scope.split()))
    return _save(operation, form, "client.registered")


def change(operation: Operation, client: Client, values: Mapping[str, Any]) -> Saved:
    """The same for a client that exists; a field that is left out stays as it is."""
    _check_may_change(operation, client)
    form = filled_in(ClientForm, {**values, "client_id": client.client_id})
    return _save(operation, form, "client.changed")


def _check_may_write(operation: Operation) -> None:
    operation.check("products.manage")
    operation.check_recent()


def _check_may_change(operation: Operation, client: Client) -> None:
    _check_may_write(operation)
    _check_may_touch(operation, client.product_key, _reach(client))


def _reach(client: Client) -> tuple[str, ...]:
    """What it may itself, and what it may have of the people who sign in at it."""
    return (*client.permissions, *client.scope.split())


def _check_may_touch(operation: Operation, product: str, reach: Collection[str]) -> None:
    if not _may_touch(operation, product, reach):
        raise Forbidden(f"a client of {product} with {' '.join(reach) or 'nothing'}")


def _may_touch(operation: Operation, product: str, reach: Collection[str]) -> bool:
    if product not in BUILT_IN:
        return True
    nodes = operation.catalog.products[product].permission_keys.intersection(reach)
    return (
        product != CONSOLE
        and _may_stop(operation, product)
        and operation.actor.permissions.issuperset(nodes)
    )


def _may_stop(operation: Operation, product: str) -> bool:
    is_person = operation.actor.user_id is not None
    return product not in BUILT_IN or (is_person and operation.may("operators.manage"))


def may_change(operation: Operation, client: Client) -> bool:
    """What a page offers: to change it, to give it secrets, to let it go on."""
    return _may_touch(operation, client.product_key, _reach(client))


def products_with_clients(operation: Operation) -> list[Product]:
    """Those for which this operator registers clients, in their order."""
    operation.check("products.manage")
    ordered = sa.select(Product).order_by(Product.position, Product.key)
    return [each for each in operation.rows.scalars(ordered) if _may_touch(operation, each.key, ())]


def _save(operation: Operation, form: ClientForm, tag: str) -> Saved:
    """All of it or nothing, and at most a second until every process knows."""
    keeper, rows = SecretKeeper(NO_FILES), operation.rows
    try:
        with told_by_field(), rows.begin_nested():
            changes = apply_clients(rows, [form], keeper, operation.now)
            check_launch_clients(rows, (), (form.client_id,))
            client = rows.get_one(Client, form.client_id)
            _check_may_touch(operation, client.product_key, _reach(client))
    except sa.exc.IntegrityError:
        raise Mistake(client_id=told("This id is another client's.")) from None
    if changes:
        _tell(operation, tag, client, changes)
    return Saved(client, keeper.to_show.get(form.client_id))


def _tell(operation: Operation, tag: str, client: Client, changes: list[Change]) -> None:
    fields = fields_of(changes)
    operation.record(tag, tenant=client.tenant_id, changed=client.client_id, fields=fields)
    catalog_version.touch(operation.db, [client.client_id])


def set_status(operation: Operation, client: Client, status: str) -> None:
    """Disabled, it gets nothing any more; its tokens are refused by us within a second."""
    if status == clients.DISABLED:
        _check_may_write(operation)
        if not _may_stop(operation, client.product_key):
            raise Forbidden(f"a client of {client.product_key}")
    else:
        _check_may_change(operation, client)
    moved = operation.rows.execute(
        sa.update(Client)
        .where(Client.client_id == client.client_id, Client.status != status)
        .values(status=status)
        .returning(Client.client_id)
    ).first()
    if moved is None:
        return
    tag = "client.enabled" if status == clients.ACTIVE else "client.disabled"
    operation.record(tag, tenant=client.tenant_id, changed=client.client_id)
    catalog_version.touch(operation.db, [client.client_id])


def secrets_of(client: Client, now: float) -> list[KnownSecret]:
    """The newest first."""
    return [
        KnownSecret(
            row.secret_hash[:SHOWN_OF_FINGERPRINT],
            row.created_at,
            row.expires_at,
            row.expires_at is None or row.expires_at > now,
        )
        for row in sorted(client.secrets, key=lambda row: -row.created_at)
    ]


def rotate_secret(operation: Operation, client: Client, hours: int) -> str:
    """The new secret, valid at once. The old ones stay valid for so many hours, if they would not
    have ended sooner. Raises Forbidden, RecentSignInNeeded, or Mistake."""
    _check_may_change(operation, client)
    _wait_for_turn(operation, client)
    _check_can_rotate(client, hours, operation.now)
    until = operation.now + hours * 3600
    for row in list(client.secrets):
        if row.expires_at is not None and row.expires_at <= operation.now:
            client.secrets.remove(row)
        elif row.expires_at is None or row.expires_at > until:
            row.expires_at = until
    secret = new_secret()
    client.secrets.append(ClientSecret(secret_hash=fingerprint(secret), created_at=operation.now))
    operation.rows.flush()
    operation.record(
        "client.secret_rotated",
        tenant=client.tenant_id,
        changed=client.client_id,
        old_until=until,
        made=fingerprint(secret)[:SHOWN_OF_FINGERPRINT],
    )
    catalog_version.touch(operation.db, [client.client_id])
    return secret


def _wait_for_turn(operation: Operation, client: Client) -> None:
    """Of those who change a client's secrets at once, each sees what the one before has left."""
    operation.rows.execute(
        sa.select(Client)
        .where(Client.client_id == client.client_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def _check_can_rotate(client: Client, hours: int, now: float) -> None:
    if client.token_endpoint_auth_method not in WITH_SECRET:
        raise Mistake(hours=told("This client proves itself without a secret."))
    if hours not in OVERLAP_HOURS:
        raise Mistake(hours=told("Choose how long the old secret stays valid."))
    if sum(each.is_valid for each in secrets_of(client, now)) >= MOST_SECRETS:
        raise Mistake(hours=told("Five secrets are valid already. Remove one of them first."))


def remove_secret(operation: Operation, client: Client, short: str) -> None:
    """At once. Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake for the only one that is
    valid."""
    _check_may_change(operation, client)
    _wait_for_turn(operation, client)
    meant = next(
        (row for row in client.secrets if row.secret_hash[:SHOWN_OF_FINGERPRINT] == short), None
    )
    if meant is None:
        raise NotFound("no such secret of this client")
    others = [each for each in secrets_of(client, operation.now) if each.fingerprint != short]
    if not any(each.is_valid for each in others):
        raise Mistake(secret=told("It is the only valid one. Make a new secret first."))
    client.secrets.remove(meant)
    operation.rows.flush()
    operation.record(
        "client.secret_removed", tenant=client.tenant_id, changed=client.client_id, removed=short
    )
    catalog_version.touch(operation.db, [client.client_id])
