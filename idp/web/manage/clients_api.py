"""Clients at the API. A secret is in the answer that made it, and in no other (security.md S82)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.directory.clients import Client
from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import clients
from idp.operators.clients import Wanted
from idp.web.context import provider
from idp.web.manage.api import PLATFORM, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.json_reading import Sent

api = Noun("clients", told("Clients"))

CLIENTS = f"{PLATFORM}/clients"
CLIENT = f"{CLIENTS}/<client_id>"
NEEDS = "products.manage"

Grant = Literal["authorization_code", "refresh_token", "client_credentials"]


class ClientsWanted(Part):
    search: str = Field("", max_length=120, description=told("The beginning of an id."))
    product: str = Field("", max_length=64)


class ClientLine(Answer):
    client_id: str
    client_name: str
    product_key: str
    status: str


class ClientTold(ClientLine):
    """In the words of RFC 7591. `id` is the `client_id`."""

    id: str
    tenant_id: str | None
    application_type: str
    token_endpoint_auth_method: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    grant_types: list[str]
    scope: str
    permissions: list[str]
    first_party: bool
    initiate_login_uri: str | None
    backchannel_logout_uri: str | None
    created_at: Moment


class ClientMade(ClientTold):
    """With its secret, if it has one: this once."""

    client_secret: str | None


class NewClient(Sent):
    """What is left out has the default of a set-up file."""

    example: ClassVar[dict[str, Any]] = {
        "client_id": "night-report",
        "client_name": "Night report",
        "product": "lms",
        "grant_types": ["client_credentials"],
        "scope": "reports",
        "permissions": ["reports.read"],
    }

    client_id: str = Field(max_length=64)
    client_name: str = Field(max_length=120)
    product: str = Field(max_length=32)
    tenant: str | None = Field(None, max_length=63, description=told("A machine's own company."))
    token_endpoint_auth_method: (
        Literal["client_secret_basic", "client_secret_post", "none"] | None
    ) = None
    redirect_uris: list[str] | None = Field(None, max_length=50)
    post_logout_redirect_uris: list[str] | None = Field(None, max_length=50)
    grant_types: list[Grant] | None = None
    scope: str | None = Field(None, max_length=1000)
    permissions: list[str] | None = Field(None, max_length=200)
    initiate_login_uri: str | None = Field(None, max_length=2048)
    backchannel_logout_uri: str | None = Field(None, max_length=2048)


class Overlap(Sent):
    example: ClassVar[dict[str, Any]] = {"hours": 24}

    hours: int = Field(ge=0, le=720, description=told("So long the old secrets stay valid."))


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
    saved = clients.register(operation, values)
    return ClientMade.model_validate({**_fields(saved.client), "client_secret": saved.secret})


@api.get(CLIENT, told("See a client"), needs=NEEDS)
def show(operation: Operation, client_id: str) -> ClientTold:
    return ClientTold.model_validate(_fields(clients.get_client(operation, client_id)))


@api.post(f"{CLIENT}/disable", told("Disable a client"), needs=NEEDS, status=204)
def disable(operation: Operation, client_id: str) -> None:
    clients.set_status(operation, clients.get_client(operation, client_id), "disabled")


@api.post(f"{CLIENT}/enable", told("Enable a client again"), needs=NEEDS, status=204)
def enable(operation: Operation, client_id: str) -> None:
    clients.set_status(operation, clients.get_client(operation, client_id), "active")


@api.post(f"{CLIENT}/secrets", told("Make another secret"), needs=NEEDS)
def rotate_secret(operation: Operation, client_id: str, body: Overlap) -> NewSecret:
    client = clients.get_client(operation, client_id)
    secret = clients.rotate_secret(operation, client, body.hours)
    newest = clients.secrets_of(client, operation.now)[0]
    return NewSecret(id=newest.fingerprint, client_secret=secret)


def _fields(client: Client) -> dict[str, Any]:
    names = set(ClientTold.model_fields) - {"id"}
    return {"id": client.client_id, **{name: getattr(client, name) for name in names}}
