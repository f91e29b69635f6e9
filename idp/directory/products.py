"""Products: the applications of the suite, each with its tree of permissions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.columns import JsonText
from idp.database import Base

CONSOLE = "console"
PLATFORM = "platform"
BUILT_IN = (CONSOLE, PLATFORM)
JWT, OPAQUE = ACCESS_TOKEN_FORMATS = ("jwt", "opaque")


class Product(Base):
    """`resource` is the `aud` of its access tokens (RFC 8707); `color` is #rrggbb; `icon` the name
    of a Tabler icon. `launch_client_id` is the client that the switcher opens it by. One that
    `is_platform` is the operators': no tenant's role selects anything of it. Whoever opens it needs
    a `second_factor`, not older than `second_factor_minutes`, and a password not older than
    `password_max_age_days`, which has been so since `password_max_age_since`. Where `sign_up`,
    people without an account may open one on their way to it. Its sign-in offers the
    `identity_providers`, by key, separated by spaces; one that `refuses_federated` asks whoever
    came by another provider for a proof of our own. Its API takes access tokens of one
    `access_token_format`. `authorization_details_types` are what people allow one by one
    (`details_types`)."""

    __tablename__ = "products"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    color: Mapped[str] = mapped_column(default="#475569")
    icon: Mapped[str] = mapped_column(default="apps")
    resource: Mapped[str] = mapped_column(unique=True)
    launch_client_id: Mapped[str | None]
    position: Mapped[int] = mapped_column(default=0)
    is_platform: Mapped[bool] = mapped_column(default=False)
    second_factor: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    second_factor_minutes: Mapped[int | None]
    password_max_age_days: Mapped[int | None]
    password_max_age_since: Mapped[float | None]
    sign_up: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    identity_providers: Mapped[str] = mapped_column(default="", server_default="")
    refuses_federated: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    access_token_format: Mapped[str] = mapped_column(default=JWT, server_default=JWT)

    authorization_details_types: Mapped[list[dict[str, Any]]] = mapped_column(
        JsonText, default=list, server_default="[]"
    )

    permissions: Mapped[list[Permission]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="Permission.position"
    )


class Permission(Base):
    """A node of a product's tree. `parent_key` is None at the top."""

    __tablename__ = "permissions"

    product_key: Mapped[str] = mapped_column(
        sa.ForeignKey("products.key", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    parent_key: Mapped[str | None]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    position: Mapped[int] = mapped_column(default=0)
