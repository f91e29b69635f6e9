"""The token response (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256, sha512
from typing import Any

from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.directory.products import OPAQUE
from idp.grants import claims
from idp.grants.grant_state import DETAILS
from idp.grants.target import Target
from idp.grants.token_exchange import ACCESS_TOKEN_TYPE, acting
from idp.oidc import encrypted_responses
from idp.oidc.confirmation import Confirmation, token_type
from idp.oidc.encrypted_responses import encrypted
from idp.oidc.jwks_uri import ClientKeys
from idp.secret_values import SecretKeys, encode
from idp.settings import Settings
from idp.tokens import opaque_tokens
from idp.tokens.signed_tokens import ACCESS_TOKEN, ID_TOKEN, mint
from idp.tokens.signing_keys import KeyRing


def for_grant(
    target: Target,
    client: Client,
    product: ProductView,
    scope: Iterable[str],
    confirmation: Confirmation,
    refresh_token: str | None,
    nonce: str | None,
    client_keys: ClientKeys,
    ring: KeyRing,
    keys: SecretKeys,
    settings: Settings,
    now: float,
) -> dict[str, Any]:
    """Access token for the target, ID token of the client's own `product` where `openid` was
    granted, refresh token where there is one."""
    words = tuple(scope)
    access_claims = claims.access_token(target, client, words, confirmation, keys, settings, now)
    access_token = _access_token(client, target.product, access_claims, ring, keys, now)
    response = response_with(access_token, access_claims)
    if target.details:
        response[DETAILS] = target.details
    if refresh_token:
        response["refresh_token"] = refresh_token
    if "openid" in words:
        alg = client.id_token_signed_response_alg
        id_claims = claims.id_token(target.state, client, product, keys, settings, now)
        id_claims["at_hash"] = at_hash(response["access_token"], alg)
        if nonce is not None:
            id_claims["nonce"] = nonce
        id_token = mint(ring.signer(alg, now), ID_TOKEN, id_claims)
        response["id_token"] = encrypted(
            client, client_keys, encrypted_responses.ID_TOKEN, id_token, now
        )
    return response


def for_exchange(
    target: Target,
    client: Client,
    scope: Iterable[str],
    subject: Mapping[str, Any],
    confirmation: Confirmation,
    ring: KeyRing,
    keys: SecretKeys,
    settings: Settings,
    now: float,
) -> dict[str, Any]:
    """RFC 8693 section 2.2.1: an access token alone, that ends with the `subject`, whose claims
    these are."""
    made = claims.access_token(target, client, scope, confirmation, keys, settings, now)
    made["exp"] = min(made["exp"], subject["exp"])
    made["act"] = acting(client, subject)
    access_token = _access_token(client, target.product, made, ring, keys, now)
    response = response_with(access_token, made)
    return {**response, "issued_token_type": ACCESS_TOKEN_TYPE}


def for_machine(
    client: Client,
    product: ProductView,
    tenant: str | None,
    scope: Iterable[str],
    confirmation: Confirmation,
    ring: KeyRing,
    keys: SecretKeys,
    settings: Settings,
    now: float,
) -> dict[str, Any]:
    """client_credentials: an access token alone (RFC 6749 section 4.4.3)."""
    words = tuple(scope)
    machine_claims = claims.machine_access_token(
        client, product, tenant, words, confirmation, settings, now
    )
    access_token = _access_token(client, product, machine_claims, ring, keys, now)
    return response_with(access_token, machine_claims)


def _access_token(
    client: Client,
    product: ProductView,
    its_claims: dict[str, Any],
    ring: KeyRing,
    keys: SecretKeys,
    now: float,
) -> str:
    """In the form that the product's API takes."""
    if product.access_token_format == OPAQUE:
        return opaque_tokens.seal(keys, its_claims)
    key = ring.signer(client.access_token_signed_response_alg, now)
    return mint(key, ACCESS_TOKEN, its_claims)


def response_with(access_token: str, its_claims: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "access_token": access_token,
        "token_type": token_type(its_claims),
        "expires_in": its_claims["exp"] - its_claims["iat"],
        "scope": its_claims["scope"],
    }


def at_hash(access_token: str, alg: str) -> str:
    """The left half of the hash that goes with `alg` (OpenID Connect Core section 3.1.3.6)."""
    digest = sha512 if alg in ("Ed25519", "EdDSA") else sha256
    hashed = digest(access_token.encode()).digest()
    return encode(hashed[: len(hashed) // 2])
