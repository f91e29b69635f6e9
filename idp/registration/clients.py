"""OAuth clients, made like the file. What one may be is `oidc/client_registration.py`'s rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import KeySet
from sqlalchemy.orm import Session

from idp.directory import client_logos
from idp.directory.clients import Client
from idp.directory.products import Permission, Product
from idp.directory.registrations import ClientRegistration
from idp.errors import FormMistake, MetadataRefusal, SetupMistake, told
from idp.oidc import fapi
from idp.oidc.client_metadata import ClientMetadata
from idp.oidc.client_registration import check_client_metadata, check_details_types, check_resources
from idp.registration.changes import Change, Edit
from idp.registration.client_form import ClientForm
from idp.registration.client_secrets import SecretKeeper, apply_secret
from idp.registration.tenants import find_tenant

PLAIN = (
    *("client_name", "status", "profile", "application_type", "token_endpoint_auth_method"),
    *("redirect_uris", "post_logout_redirect_uris", "grant_types", "scope", "permissions"),
    *("resources", "authorization_details_types", "first_party", "initiate_login_uri"),
    *("backchannel_logout_uri", "backchannel_logout_session_required"),
    *("frontchannel_logout_uri", "frontchannel_logout_session_required"),
    *("require_pkce", "require_pushed_authorization_requests", "require_signed_request_object"),
    *("token_endpoint_auth_signing_alg", "request_object_signing_alg", "request_uris"),
    "backchannel_authentication_request_signing_alg",
    *("subject_type", "sector_identifier_uri", "default_acr_values", "information"),
    *("jwks_uri", "default_max_age", "refresh_token_rotation"),
    *("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"),
    *("tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri"),
    *("tls_client_auth_san_ip", "tls_client_auth_san_email"),
    *("id_token_signed_response_alg", "access_token_signed_response_alg"),
    "authorization_signed_response_alg",
    *("id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    *("userinfo_signed_response_alg", "introspection_signed_response_alg"),
    *("authorization_encrypted_response_alg", "authorization_encrypted_response_enc"),
    *("userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    *("introspection_encrypted_response_alg", "introspection_encrypted_response_enc"),
)
STAYS = told("A client stays where it was registered. Register another one.")


def apply_clients(
    session: Session, forms: Iterable[ClientForm], keeper: SecretKeeper, now: float
) -> list[Change]:
    """A client belongs to a product and perhaps to a tenant, so these come first."""
    return [change for form in forms for change in _apply(session, form, keeper, now)]


def _apply(session: Session, form: ClientForm, keeper: SecretKeeper, now: float) -> list[Change]:
    found = session.get(Client, form.client_id)
    client = found or Client(client_id=form.client_id, created_at=now)
    edit = Edit("client", form.client_id, client, is_new=found is None)
    _set_owners(session, edit, client, form)
    for column, value in form.stated(PLAIN, edit.is_new).items():
        edit.set(column, value)
    for column, value in fapi.settled(client.profile, partial(getattr, client)).items():
        if column not in form.model_fields_set:
            edit.set(column, value)
    before = client.jwks
    _set_keys(edit, client, form, keeper.base_dir)
    _check(session, client)
    edit.note("jwks", _thumbprints(before), _thumbprints(client.jwks))
    apply_secret(session, edit, client, form, keeper, now)
    session.add(client)
    session.flush()
    if "information" in edit.fields:
        client_logos.order(session, client, edit.fields["information"][0] or {}, now)
    return edit.changes()


def _set_owners(session: Session, edit: Edit, client: Client, form: ClientForm) -> None:
    """For good: what a client was given by people and tenants is for its product, in its tenant
    (security.md S25). Another place is another client."""
    place = f"client {form.client_id}"
    if session.scalar(sa.select(Product.key).where(Product.key == form.product)) is None:
        raise FormMistake(place, "product", f"there is no product {form.product}.")
    if not edit.is_new and form.product != client.product_key:
        raise FormMistake(place, "product", STAYS)
    edit.note("product", client.product_key, form.product)
    client.product_key = form.product
    if edit.is_new or "tenant" in form.model_fields_set:
        _set_tenant(session, edit, client, form)


def _set_tenant(session: Session, edit: Edit, client: Client, form: ClientForm) -> None:
    place = f"client {form.client_id}"
    tenant = find_tenant(session, form.tenant) if form.tenant else None
    if form.tenant and tenant is None:
        raise FormMistake(place, "tenant", f"there is no tenant {form.tenant}.")
    tenant_id = tenant.id if tenant else None
    if not edit.is_new and tenant_id != client.tenant_id:
        raise FormMistake(place, "tenant", STAYS)
    edit.note("tenant", None if edit.is_new else form.tenant, form.tenant)
    client.tenant_id = tenant_id


def _set_keys(edit: Edit, client: Client, form: ClientForm, base_dir: Path) -> None:
    """Those of before stay where nothing is said of them; said in one place, they are in the other
    no more."""
    if form.jwks_file is not None:
        client.jwks = _read_keys(base_dir / form.jwks_file, form.client_id)
    elif "jwks" in form.model_fields_set or form.jwks_uri is not None:
        client.jwks = form.jwks
    if client.jwks is not None and form.jwks_uri is None:
        edit.set("jwks_uri", None)


def _read_keys(path: Path, client_id: str) -> dict[str, Any]:
    place = f"client {client_id}, jwks_file: {path}"
    try:
        keys = json.loads(path.read_text())
    except OSError as problem:
        raise SetupMistake(f"{place} can't be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError):
        raise SetupMistake(f"{place} is not JSON.") from None
    if not isinstance(keys, dict):
        raise SetupMistake(f"{place} is no JWK Set.")
    return keys


def _check(session: Session, client: Client) -> None:
    """The client as it will be, stated and left alone together."""
    _check_third_party(session, client)
    metadata = ClientMetadata(
        **{field.name: getattr(client, field.name) for field in fields(ClientMetadata)}
    )
    trees = _trees(session)
    try:
        check_client_metadata(metadata, trees[client.product_key])
        check_resources(metadata, client.product_key, trees)
        check_details_types(metadata, client.product_key, _details_types(session))
    except MetadataRefusal as refusal:
        place = f"client {client.client_id}"
        raise FormMistake(place, refusal.member, refusal.public_message) from refusal


def _trees(session: Session) -> dict[str, frozenset[str]]:
    """The nodes of each product, by its key."""
    nodes: dict[str, set[str]] = {key: set() for key in session.scalars(sa.select(Product.key))}
    for product, node in session.execute(sa.select(Permission.product_key, Permission.key)):
        nodes[product].add(node)
    return {key: frozenset(each) for key, each in nodes.items()}


def _check_third_party(session: Session, client: Client) -> None:
    """Whoever registered it themselves can send its people elsewhere."""
    if client.first_party and session.get(ClientRegistration, client.client_id) is not None:
        sentence = told("A client that registered itself is never ours.")
        raise FormMistake(f"client {client.client_id}", "first_party", sentence)


def _details_types(session: Session) -> dict[str, frozenset[str]]:
    registered = session.execute(sa.select(Product.key, Product.authorization_details_types))
    return {key: frozenset(each["type"] for each in types) for key, types in registered}


def _thumbprints(jwks: Mapping[str, Any] | None) -> list[str] | None:
    """Keys by what can't lie about them (RFC 7638)."""
    if jwks is None:
        return None
    return [key.thumbprint() for key in KeySet.import_key_set({"keys": jwks["keys"]}).keys]
