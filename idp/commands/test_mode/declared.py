"""What a test declares: set-up files as `idp apply` takes them, and clients in fewer words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from idp import setup
from idp.errors import SetupMistake
from idp.provider import Provider
from idp.registration.client_form import ClientForm
from idp.registration.client_secrets import WITH_SECRET
from idp.secret_values import new_secret
from idp.setup import SetupFile

SIGNS_IN = {
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile email offline_access",
    "first_party": True,
}


@dataclass(frozen=True)
class Declared:
    """A client with what its product is to be given; `client_secret` is empty where it has none."""

    client_id: str
    client_secret: str
    redirect_uris: list[str]
    scope: str
    token_endpoint_auth_method: str


def apply(held: Provider, described: SetupFile, now: float, base_dir: Path) -> dict[str, Declared]:
    """By client id. Of whom the file is for otherwise, and where secrets would be kept, nothing is
    taken over. Raises SetupMistake."""
    clients = [_with_secret(client, base_dir) for client in described.clients]
    ours = described.model_copy(update={"issuer": None, "clients": clients})
    setup.apply(held, ours, now, base_dir=base_dir)
    return {client.client_id: _declared(client) for client in clients}


def in_full(held: Provider, brief: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A set-up file for a client that is told in brief: its product, by its own name unless
    another is named, is made where it is not there, with the `nodes` that roles may select. Unless
    it says what grants it has, it signs people in. Raises SetupMistake."""
    client = dict(brief)
    nodes = client.pop("nodes", None)
    name = client.get("client_id")
    product = client.setdefault("product", name)
    usual = {} if "grant_types" in client else SIGNS_IN
    described = {"clients": [{"client_name": name, **usual, **client}]}
    if product in held.catalog.newest(now).products:
        if nodes is not None:
            raise SetupMistake(f"There is a product {product} already: its nodes are its own.")
        return described
    tree = [{"key": node, "name": node} for node in nodes or ["use"]]
    return {"products": [{"key": product, "name": product, "permissions": tree}], **described}


def _with_secret(client: ClientForm, base_dir: Path) -> ClientForm:
    if client.token_endpoint_auth_method not in WITH_SECRET:
        return client
    secret = SecretStr(_secret_of(client, base_dir))
    return client.model_copy(update={"client_secret": secret, "client_secret_file": None})


def _secret_of(client: ClientForm, base_dir: Path) -> str:
    """The one that is given; a file that is not there is not made."""
    if client.client_secret is not None:
        return client.client_secret.get_secret_value()
    file = base_dir / client.client_secret_file if client.client_secret_file else None
    return file.read_text().strip() if file and file.is_file() else new_secret()


def _declared(client: ClientForm) -> Declared:
    return Declared(
        client.client_id,
        client.client_secret.get_secret_value() if client.client_secret else "",
        client.redirect_uris,
        client.scope,
        client.token_endpoint_auth_method,
    )
