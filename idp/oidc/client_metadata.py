"""The metadata of a client (RFC 7591 section 2), in its words and ours. What it may be is told by
`client_registration.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idp.tokens import subjects

CLIENT_ID = r"[a-z0-9][a-z0-9._-]{1,63}"
SCOPE_WORD = r"[a-z0-9:._-]+"
APPLICATION_TYPES = ("web", "native")
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CIBA = "urn:openid:params:grant-type:ciba"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = (
    *("authorization_code", "refresh_token", "client_credentials"),
    *(DEVICE_CODE, CIBA, TOKEN_EXCHANGE),
)
POLLING = frozenset({DEVICE_CODE, CIBA})
POLL = "poll"  # how a client hears of the end of a backchannel request (CIBA Core section 5)
CERTIFICATE_NAMES = (
    *("tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri"),
    *("tls_client_auth_san_ip", "tls_client_auth_san_email"),
)
NO_SHARED_KEYS = (
    "client_secret_jwt would be checked by the secret itself, and we keep its hash alone:"
    " private_key_jwt does the same without anything that we could lose."
)


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """In the words of RFC 7591 and ours (`directory/clients.py`), with what holds when unsaid."""

    client_id: str
    profile: str | None = None
    application_type: str = "web"
    token_endpoint_auth_method: str = "client_secret_basic"
    token_endpoint_auth_signing_alg: str | None = None
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    redirect_uris: Sequence[str] = ()
    post_logout_redirect_uris: Sequence[str] = ()
    grant_types: Sequence[str] = ("authorization_code",)
    scope: str = "openid profile email"
    permissions: Sequence[str] = ()
    resources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    authorization_details_types: Sequence[str] = ()
    initiate_login_uri: str | None = None
    backchannel_logout_uri: str | None = None
    frontchannel_logout_uri: str | None = None
    require_pkce: bool = True
    default_acr_values: Sequence[str] = ()
    information: Mapping[str, Any] = field(default_factory=dict)
    require_pushed_authorization_requests: bool = False
    dpop_bound_access_tokens: bool = False
    tls_client_certificate_bound_access_tokens: bool = False
    refresh_token_rotation: bool = False
    subject_type: str = subjects.PUBLIC
    sector_identifier_uri: str | None = None
    request_object_signing_alg: str | None = None
    request_uris: Sequence[str] = ()
    require_signed_request_object: bool = False
    backchannel_authentication_request_signing_alg: str | None = None
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    id_token_signed_response_alg: str = "RS256"
    access_token_signed_response_alg: str = "ES256"
    authorization_signed_response_alg: str = "RS256"
    authorization_encrypted_response_alg: str | None = None
    authorization_encrypted_response_enc: str | None = None
    id_token_encrypted_response_alg: str | None = None
    id_token_encrypted_response_enc: str | None = None
    userinfo_signed_response_alg: str | None = None
    userinfo_encrypted_response_alg: str | None = None
    userinfo_encrypted_response_enc: str | None = None
    introspection_signed_response_alg: str = "RS256"
    introspection_encrypted_response_alg: str | None = None
    introspection_encrypted_response_enc: str | None = None
