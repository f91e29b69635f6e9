"""A client as it is described, in the words of RFC 7591."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from idp.oidc.client_metadata import NO_SHARED_KEYS, SCOPE_WORD
from idp.registration.form import (
    ClientId,
    DetailsTypeName,
    Form,
    Line,
    PermissionKey,
    ProductKey,
    Slug,
)

GrantType = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:openid:params:grant-type:ciba",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
MIN_CLIENT_SECRET = 32
MAX_AGE = 366 * 86400


def _auth_method(method: Any) -> Any:
    if method == "client_secret_jwt":
        raise ValueError(NO_SHARED_KEYS)
    return method


def _client_secret(secret: SecretStr) -> SecretStr:
    check_client_secret(secret.get_secret_value())
    return secret


def check_client_secret(text: str) -> None:
    """It is stored by SHA-256, so it must be one that nobody can guess. Raises ValueError."""
    if not MIN_CLIENT_SECRET <= len(text) <= 512:
        raise ValueError(f"a client secret has {MIN_CLIENT_SECRET} to 512 characters")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("a client secret has visible ASCII characters only")


Algorithm = Literal["RS256", "ES256", "PS256", "Ed25519", "EdDSA"]
AuthMethod = Literal[
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
]
KeyAlgorithm = Literal["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"]
ContentAlgorithm = Literal["A128CBC-HS256", "A128GCM", "A256GCM"]
ClientSecret = Annotated[SecretStr, AfterValidator(_client_secret)]


class ClientForm(Form):
    """An OAuth client, in the words of RFC 7591. `oidc/client_registration.py` has the rules."""

    client_id: ClientId
    client_name: Line
    product: ProductKey
    tenant: Slug | None = Field(default=None, description="A machine's own tenant.")
    status: Literal["active", "disabled"] = "active"
    profile: Literal["fapi2_security", "fapi2_message_signing"] | None = Field(
        default=None, description="Settles all that it demands where nothing else is said."
    )
    application_type: Literal["web", "native"] = "web"
    token_endpoint_auth_method: Annotated[AuthMethod, BeforeValidator(_auth_method)] = (
        "client_secret_basic"
    )
    client_secret: ClientSecret | None = Field(
        default=None, description="At least 32 characters. Only its hash is kept."
    )
    client_secret_file: str | None = Field(
        default=None,
        min_length=1,
        description="Holds the secret; made with a new one if it is not there.",
    )
    token_endpoint_auth_signing_alg: Algorithm | None = Field(
        default=None, description="Of its assertions; any of them if left out."
    )
    jwks: dict[str, Any] | None = Field(
        default=None, description="Public keys, for private_key_jwt and request objects."
    )
    jwks_file: str | None = Field(default=None, min_length=1)
    jwks_uri: str | None = Field(
        default=None, description="Its public keys are there, and are fetched when they are needed."
    )
    redirect_uris: list[str] = Field(default=[])
    post_logout_redirect_uris: list[str] = Field(default=[])
    grant_types: list[GrantType] = Field(default=["authorization_code"])
    scope: Annotated[
        str, StringConstraints(pattern=f"^({SCOPE_WORD}( {SCOPE_WORD})*)?$", max_length=1000)
    ] = "openid profile email"
    permissions: list[PermissionKey] = Field(default=[], description="A machine's own.")
    resources: dict[ProductKey, list[PermissionKey]] = Field(
        default={},
        description="Other products that it may have tokens for, and the nodes that they carry.",
    )
    authorization_details_types: list[DetailsTypeName] = Field(
        default=[], description="What it may ask people to allow one by one."
    )
    first_party: bool = Field(default=False, description="True asks no one for consent.")
    initiate_login_uri: str | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = Field(
        default=False, description="It needs a `sid` in logout tokens, which is always there."
    )
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = Field(
        default=False, description="True adds `iss` and `sid` to the address."
    )
    require_pkce: bool = True
    require_pushed_authorization_requests: bool = False
    subject_type: Literal["public", "pairwise"] = Field(
        default="public", description="pairwise: its own name for each person."
    )
    sector_identifier_uri: str | None = Field(
        default=None, description="Its host stands for all that share those names."
    )
    request_object_signing_alg: Algorithm | None = Field(
        default=None, description="Of its request objects; any of them if left out."
    )
    request_uris: list[str] = Field(
        default=[], description="Its request objects are there; fetched only if the operator lets."
    )
    require_signed_request_object: bool = False
    backchannel_authentication_request_signing_alg: Algorithm | None = Field(
        default=None, description="Of its CIBA requests, all signed; none is if left out."
    )
    dpop_bound_access_tokens: bool = False
    default_acr_values: list[str] = Field(
        default=[], description="Classes that it wishes for where a request names none."
    )
    information: dict[str, Any] = Field(
        default={},
        description="For people: client_uri, logo_uri, policy_uri, tos_uri, contacts, …",
    )
    tls_client_auth_subject_dn: str | None = Field(
        default=None, description="For tls_client_auth: one of these five names its certificate."
    )
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    default_max_age: int | None = Field(default=None, ge=0, le=MAX_AGE, description="Seconds.")
    id_token_signed_response_alg: Algorithm = "RS256"
    access_token_signed_response_alg: Algorithm = "ES256"
    authorization_signed_response_alg: Algorithm = "RS256"
    id_token_encrypted_response_alg: KeyAlgorithm | None = Field(
        default=None, description="Encrypted to one of its keys by it; signed alone if left out."
    )
    id_token_encrypted_response_enc: ContentAlgorithm | None = None
    authorization_encrypted_response_alg: KeyAlgorithm | None = None
    authorization_encrypted_response_enc: ContentAlgorithm | None = None
    userinfo_signed_response_alg: Algorithm | None = Field(
        default=None, description="JSON that nobody signed if left out."
    )
    userinfo_encrypted_response_alg: KeyAlgorithm | None = None
    userinfo_encrypted_response_enc: ContentAlgorithm | None = None
    introspection_signed_response_alg: Algorithm = Field(
        default="RS256", description="Of what it asks for as a JWT (RFC 9701)."
    )
    introspection_encrypted_response_alg: KeyAlgorithm | None = None
    introspection_encrypted_response_enc: ContentAlgorithm | None = None
    refresh_token_rotation: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> ClientForm:
        for left, right in (("client_secret", "client_secret_file"), ("jwks", "jwks_file")):
            if getattr(self, left) is not None and getattr(self, right) is not None:
                raise ValueError(f"give {left} or {right}, not both")
        return self
