"""The members of a client (RFC 7591), as the API tells them and takes them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.errors import told
from idp.registration.client_form import (
    Algorithm,
    AuthMethod,
    ContentAlgorithm,
    GrantType,
    KeyAlgorithm,
)
from idp.web.manage.api import Answer, Moment
from idp.web.manage.json_reading import Sent

TO_ITS_KEY = told("To one of its public keys; open, if null.")


class ClientLine(Answer):
    client_id: str
    client_name: str
    product_key: str
    status: str


class ClientTold(ClientLine):
    """In the words of RFC 7591. `id` is the `client_id`."""

    id: str
    tenant_id: str | None
    profile: str | None
    application_type: str
    token_endpoint_auth_method: str
    token_endpoint_auth_signing_alg: str | None
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    grant_types: list[str]
    scope: str
    permissions: list[str]
    resources: dict[str, list[str]]
    authorization_details_types: list[str]
    first_party: bool
    initiate_login_uri: str | None
    backchannel_logout_uri: str | None
    backchannel_logout_session_required: bool
    frontchannel_logout_uri: str | None
    frontchannel_logout_session_required: bool
    require_pkce: bool
    require_pushed_authorization_requests: bool
    subject_type: str
    sector_identifier_uri: str | None
    request_object_signing_alg: str | None
    request_uris: list[str]
    require_signed_request_object: bool
    backchannel_authentication_request_signing_alg: str | None
    dpop_bound_access_tokens: bool
    default_acr_values: list[str]
    information: dict[str, Any]
    tls_client_auth_subject_dn: str | None
    tls_client_auth_san_dns: str | None
    tls_client_auth_san_uri: str | None
    tls_client_auth_san_ip: str | None
    tls_client_auth_san_email: str | None
    tls_client_certificate_bound_access_tokens: bool
    default_max_age: int | None
    id_token_signed_response_alg: str
    access_token_signed_response_alg: str
    authorization_signed_response_alg: str
    id_token_encrypted_response_alg: str | None
    id_token_encrypted_response_enc: str | None
    authorization_encrypted_response_alg: str | None
    authorization_encrypted_response_enc: str | None
    userinfo_signed_response_alg: str | None
    userinfo_encrypted_response_alg: str | None
    userinfo_encrypted_response_enc: str | None
    introspection_signed_response_alg: str
    introspection_encrypted_response_alg: str | None
    introspection_encrypted_response_enc: str | None
    refresh_token_rotation: bool
    created_at: Moment


class ClientMade(ClientTold):
    """With its secret, if it has one: this once."""

    client_secret: str | None


class ChangedClient(Sent):
    """What is left out stays as it is; null takes away what may be absent."""

    example: ClassVar[dict[str, Any]] = {
        "client_name": "Report of the night",
        "default_max_age": None,
    }

    client_name: str | None = Field(None, max_length=120)
    tenant: str | None = Field(None, max_length=63, description=told("A machine's own company."))
    profile: Literal["fapi2_security", "fapi2_message_signing"] | None = Field(
        None,
        description=told("FAPI 2.0: it settles all that it demands where nothing else is said."),
    )
    application_type: Literal["web", "native"] | None = None
    token_endpoint_auth_method: AuthMethod | None = None
    token_endpoint_auth_signing_alg: Algorithm | None = Field(
        None, description=told("Of its assertions. Any of them, if null.")
    )
    jwks: dict[str, Any] | None = Field(
        None,
        description=told("Public keys, as a JWK Set, for private_key_jwt and request objects."),
    )
    jwks_uri: str | None = Field(
        None,
        max_length=2048,
        description=told("Its public keys are there, and are fetched when they are needed."),
    )
    redirect_uris: list[str] | None = Field(None, max_length=50)
    post_logout_redirect_uris: list[str] | None = Field(None, max_length=50)
    grant_types: list[GrantType] | None = None
    scope: str | None = Field(None, max_length=1000)
    permissions: list[str] | None = Field(None, max_length=200)
    resources: dict[str, list[str]] | None = Field(
        None, description=told("Other products that it may call, with its permissions there.")
    )
    authorization_details_types: list[str] | None = Field(
        None,
        max_length=50,
        description=told("Types of authorization details (RFC 9396) that it may ask for."),
    )
    first_party: bool | None = Field(None, description=told("Ours: nobody is asked for consent."))
    initiate_login_uri: str | None = Field(None, max_length=2048)
    backchannel_logout_uri: str | None = Field(None, max_length=2048)
    backchannel_logout_session_required: bool | None = None
    frontchannel_logout_uri: str | None = Field(None, max_length=2048)
    frontchannel_logout_session_required: bool | None = Field(
        None, description=told("The address gets iss and sid, so that it knows which session.")
    )
    require_pkce: bool | None = None
    require_pushed_authorization_requests: bool | None = Field(
        None, description=told("Sign-ins begin by a pushed request alone (RFC 9126).")
    )
    subject_type: Literal["public", "pairwise"] | None = Field(
        None, description=told("pairwise: by a name that no other sector knows.")
    )
    sector_identifier_uri: str | None = Field(
        None,
        max_length=2048,
        description=told("An address whose host stands for all clients that share those names."),
    )
    request_object_signing_alg: Algorithm | None = Field(
        None, description=told("Of its request objects. Any of them, if null.")
    )
    request_uris: list[str] | None = Field(
        None,
        max_length=50,
        description=told("Where its request objects are, if the operator lets them be fetched."),
    )
    require_signed_request_object: bool | None = Field(
        None, description=told("Sign-ins begin by a signed request alone (RFC 9101).")
    )
    backchannel_authentication_request_signing_alg: Algorithm | None = Field(
        None, description=told("Of its CIBA requests, which are then all signed. None is, if null.")
    )
    dpop_bound_access_tokens: bool | None = Field(
        None, description=told("It gets tokens with a proof of possession alone (RFC 9449).")
    )
    default_acr_values: list[str] | None = Field(
        None,
        max_length=20,
        description=told("Classes that it wishes for where a request names none."),
    )
    information: dict[str, Any] | None = Field(
        None, description=told("For people: client_uri, logo_uri, policy_uri, tos_uri, contacts.")
    )
    tls_client_auth_subject_dn: str | None = Field(
        None, max_length=1000, description=told("The name in its certificate (RFC 4514).")
    )
    tls_client_auth_san_dns: str | None = Field(None, max_length=255)
    tls_client_auth_san_uri: str | None = Field(None, max_length=2048)
    tls_client_auth_san_ip: str | None = Field(None, max_length=45)
    tls_client_auth_san_email: str | None = Field(None, max_length=320)
    tls_client_certificate_bound_access_tokens: bool | None = Field(
        None, description=told("Its tokens are good with its certificate alone (RFC 8705).")
    )
    default_max_age: int | None = Field(None, ge=0, le=10**9, description=told("Seconds."))
    id_token_signed_response_alg: Algorithm | None = None
    access_token_signed_response_alg: Algorithm | None = None
    authorization_signed_response_alg: Algorithm | None = Field(
        None, description=told("Of the answers to a sign-in that it asks for as a JWT.")
    )
    id_token_encrypted_response_alg: KeyAlgorithm | None = Field(None, description=TO_ITS_KEY)
    id_token_encrypted_response_enc: ContentAlgorithm | None = None
    authorization_encrypted_response_alg: KeyAlgorithm | None = Field(None, description=TO_ITS_KEY)
    authorization_encrypted_response_enc: ContentAlgorithm | None = None
    userinfo_signed_response_alg: Algorithm | None = Field(
        None, description=told("Plain JSON, if null.")
    )
    userinfo_encrypted_response_alg: KeyAlgorithm | None = Field(None, description=TO_ITS_KEY)
    userinfo_encrypted_response_enc: ContentAlgorithm | None = None
    introspection_signed_response_alg: Algorithm | None = Field(
        None, description=told("Where it asks for a JWT (RFC 9701).")
    )
    introspection_encrypted_response_alg: KeyAlgorithm | None = Field(None, description=TO_ITS_KEY)
    introspection_encrypted_response_enc: ContentAlgorithm | None = None
    refresh_token_rotation: bool | None = None


class NewClient(ChangedClient):
    """What is left out has the default of a set-up file."""

    example: ClassVar[dict[str, Any]] = {
        "client_id": "night-report",
        "client_name": "Night report",
        "product": "lms",
        "grant_types": ["client_credentials"],
        "scope": "reports",
        "permissions": ["reports.read"],
    }

    client_id: str = Field(max_length=64, description=told("It never changes."))
    client_name: str = Field(max_length=120)
    product: str = Field(max_length=32)
