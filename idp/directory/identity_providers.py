"""Other OpenID providers that people may sign in with, like Google (product.md S4)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base

ACTIVE, DISABLED = "active", "disabled"
SECRET_PURPOSE = "client secret at an identity provider"


class IdentityProvider(Base):
    """`issuer` is as its ID tokens say it; `client_id` and the secret are ours there. Of people at
    Google, a `hosted_domain` takes those alone whose company has it. One that is DISABLED signs
    nobody in, and links nobody."""

    __tablename__ = "identity_providers"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[str]
    hosted_domain: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default=sa.literal_column(f"'{ACTIVE}'"))


@dataclass(frozen=True)
class UpstreamProvider:
    """One that is active, as everybody else sees it."""

    key: str
    name: str
    issuer: str
    client_id: str
    sealed_secret: str
    hosted_domain: str
