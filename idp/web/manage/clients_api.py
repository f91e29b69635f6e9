"""Clients at the API. A secret is in the answer that made it, and in no other (security.md S82)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.clients import Client
from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import clients
from idp.operators.clients import Saved, Wanted
from idp.secret_values import fingerprint
from idp.web.context import provider
from idp.web.manage.api import PLATFORM, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.client_members import (
    ChangedClient,
    ClientLine,
    ClientMade,
    ClientTold,
    NewClient,
)
from idp.web.manage.json_reading import Sent

api = Noun("clients", told("Clients"))

CLIENTS = f"{PLATFORM}/clients"
CLIENT = f"{CLIENTS}/<client_id>"
NEEDS = "products.manage"


class ClientsWanted(Part):
    search: str = Field("", max_length=120, description=told("The beginning of an id."))
    product: str = Field("", max_length=64)


class Overlap(Sent):
    example: ClassVar[dict[str, Any]] = {"hours": 24}

    hours: int = Field(ge=0, le=720, description=told("So long the old secrets stay valid."))


class SecretLine(Answer):
    """`id` is the beginning of its SHA-256. `expires_at` is null for one that stays."""

    id: str
    created_at: Moment
    expires_at: Moment | None
    is_valid: bool


class NewSecret(Answer):
    """`id` tells it from others, and nothing of it."""

    id: str
    client_secret: str


@api.get(CLIENTS, told("List clients"), needs=NEEDS)
def listing(operation: Operation, query: ClientsWanted) -> Listing[ClientLine]:
    wanted, keys = Wanted(query.search, query.product), provider().secret_keys
    page = clients.find_clients(operation, keys, wanted, query.cursor, query.limit)
    return listed(ClientLine, page.clients, page.next)


@api.post(CLIENTS, told("Register a client"), needs=NEEDS)
def register(operation: Operation, body: NewClient) -> ClientMade:
    values = {name: value for name, value in body if value is not None}
    return _made(clients.register(operation, values))


@api.get(CLIENT, told("See a client"), needs=NEEDS)
def show(operation: Operation, client_id: str) -> ClientTold:
    return ClientTold.model_validate(_fields(clients.get_client(operation, client_id)))


@api.patch(CLIENT, told("Change a client"), needs=NEEDS, current=show)
def change(operation: Operation, client_id: str, body: ChangedClient) -> ClientMade:
    """A secret is in the answer if the change made one: this once."""
    client = clients.get_client(operation, client_id)
    kept = {"client_name": client.client_name, "product": client.product_key}
    values = {**kept, **body.model_dump(exclude_unset=True)}
    return _made(clients.change(operation, client, values))


@api.post(f"{CLIENT}/disable", told("Disable a client"), needs=NEEDS, status=204)
def disable(operation: Operation, client_id: str) -> None:
    clients.set_status(operation, clients.get_client(operation, client_id), "disabled")


@api.post(f"{CLIENT}/enable", told("Enable a client again"), needs=NEEDS, status=204)
def enable(operation: Operation, client_id: str) -> None:
    clients.set_status(operation, clients.get_client(operation, client_id), "active")


@api.get(f"{CLIENT}/secrets", told("List a client's secrets"), needs=NEEDS)
def secrets(operation: Operation, client_id: str) -> Listing[SecretLine]:
    client = clients.get_client(operation, client_id)
    known = clients.secrets_of(client, operation.now)
    return listed(SecretLine, ({**each._asdict(), "id": each.fingerprint} for each in known))


@api.post(f"{CLIENT}/secrets", told("Make another secret"), needs=NEEDS)
def rotate_secret(operation: Operation, client_id: str, body: Overlap) -> NewSecret:
    client = clients.get_client(operation, client_id)
    secret = clients.rotate_secret(operation, client, body.hours)
    short = fingerprint(secret)[: clients.SHOWN_OF_FINGERPRINT]
    return NewSecret(id=short, client_secret=secret)


@api.delete(f"{CLIENT}/secrets/<short>", told("Remove a secret"), needs=NEEDS)
def remove_secret(operation: Operation, client_id: str, short: str) -> None:
    clients.remove_secret(operation, clients.get_client(operation, client_id), short)


def _made(saved: Saved) -> ClientMade:
    return ClientMade.model_validate({**_fields(saved.client), "client_secret": saved.secret})


def _fields(client: Client) -> dict[str, Any]:
    names = set(ClientTold.model_fields) - {"id"}
    return {"id": client.client_id, **{name: getattr(client, name) for name in names}}
