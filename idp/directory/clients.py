"""OAuth clients, in the words of RFC 7591 and OpenID Connect Dynamic Client Registration."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.columns import JsonText
from idp.database import Base

ACTIVE = "active"
DISABLED = "disabled"


class Client(Base):
    """`scope` is what it may ask for. `permissions` are a machine's own, of its product's tree, and
    `resources` the other products that it may have tokens for, by key, with the nodes of their
    trees that those may carry; `authorization_details_types` what it may ask people to allow one by
    one (RFC 9396).

    `first_party` needs no consent. `refresh_token_rotation` is for confidential clients; a public
    client's refresh tokens always rotate (RFC 9700 section 4.14.2). `subject_type` is a word of
    `tokens/subjects.py`, and `profile` one of `oidc/fapi.py`. `information` is for people: members
    of RFC 7591, some in more languages.
    """

    __tablename__ = "clients"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    client_name: Mapped[str]
    product_key: Mapped[str] = mapped_column(sa.ForeignKey("products.key"))
    tenant_id: Mapped[str | None] = mapped_column(sa.ForeignKey("tenants.id"), index=True)
    status: Mapped[str] = mapped_column(default=ACTIVE)
    application_type: Mapped[str] = mapped_column(default="web")
    token_endpoint_auth_method: Mapped[str] = mapped_column(default="client_secret_basic")
    token_endpoint_auth_signing_alg: Mapped[str | None]
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    jwks_uri: Mapped[str | None]
    redirect_uris: Mapped[list[str]] = mapped_column(JsonText, default=list)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(JsonText, default=list)
    grant_types: Mapped[list[str]] = mapped_column(JsonText, default=list)
    profile: Mapped[str | None]
    scope: Mapped[str] = mapped_column(default="openid profile email")
    permissions: Mapped[list[str]] = mapped_column(JsonText, default=list)
    resources: Mapped[dict[str, list[str]]] = mapped_column(
        JsonText, default=dict, server_default="{}"
    )
    authorization_details_types: Mapped[list[str]] = mapped_column(
        JsonText, default=list, server_default="[]"
    )
    first_party: Mapped[bool] = mapped_column(default=False)
    initiate_login_uri: Mapped[str | None]
    backchannel_logout_uri: Mapped[str | None]
    backchannel_logout_session_required: Mapped[bool] = mapped_column(
        default=False, server_default=sa.false()
    )
    frontchannel_logout_uri: Mapped[str | None]
    frontchannel_logout_session_required: Mapped[bool] = mapped_column(
        default=False, server_default=sa.false()
    )
    require_pkce: Mapped[bool] = mapped_column(default=True)
    require_pushed_authorization_requests: Mapped[bool] = mapped_column(
        default=False, server_default=sa.false()
    )
    subject_type: Mapped[str] = mapped_column(default="public", server_default="public")
    sector_identifier_uri: Mapped[str | None]
    request_object_signing_alg: Mapped[str | None]
    request_uris: Mapped[list[str]] = mapped_column(JsonText, default=list, server_default="[]")
    require_signed_request_object: Mapped[bool] = mapped_column(
        default=False, server_default=sa.false()
    )
    backchannel_authentication_request_signing_alg: Mapped[str | None]
    dpop_bound_access_tokens: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    default_acr_values: Mapped[list[str]] = mapped_column(
        JsonText, default=list, server_default="[]"
    )
    information: Mapped[dict[str, Any]] = mapped_column(JsonText, default=dict, server_default="{}")
    tls_client_auth_subject_dn: Mapped[str | None]
    tls_client_auth_san_dns: Mapped[str | None]
    tls_client_auth_san_uri: Mapped[str | None]
    tls_client_auth_san_ip: Mapped[str | None]
    tls_client_auth_san_email: Mapped[str | None]
    tls_client_certificate_bound_access_tokens: Mapped[bool] = mapped_column(
        default=False, server_default=sa.false()
    )
    default_max_age: Mapped[int | None]
    id_token_signed_response_alg: Mapped[str] = mapped_column(default="RS256")
    id_token_encrypted_response_alg: Mapped[str | None]
    id_token_encrypted_response_enc: Mapped[str | None]
    authorization_encrypted_response_alg: Mapped[str | None]
    authorization_encrypted_response_enc: Mapped[str | None]
    userinfo_signed_response_alg: Mapped[str | None]
    userinfo_encrypted_response_alg: Mapped[str | None]
    userinfo_encrypted_response_enc: Mapped[str | None]
    introspection_signed_response_alg: Mapped[str] = mapped_column(
        default="RS256", server_default="RS256"
    )
    introspection_encrypted_response_alg: Mapped[str | None]
    introspection_encrypted_response_enc: Mapped[str | None]
    access_token_signed_response_alg: Mapped[str] = mapped_column(default="ES256")
    authorization_signed_response_alg: Mapped[str] = mapped_column(
        default="RS256", server_default="RS256"
    )
    refresh_token_rotation: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float]

    secrets: Mapped[list[ClientSecret]] = relationship(
        lazy="selectin", cascade="all, delete-orphan"
    )

    @property
    def is_public(self) -> bool:
        return self.token_endpoint_auth_method == "none"

    @property
    def rotates_refresh_tokens(self) -> bool:
        return self.is_public or self.refresh_token_rotation


class ClientSecret(Base):
    """Stored by SHA-256: we generate them with 256 bits. Several may be valid while one replaces
    another."""

    __tablename__ = "client_secrets"

    secret_hash: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(
        sa.ForeignKey("clients.client_id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[float]
    expires_at: Mapped[float | None]
