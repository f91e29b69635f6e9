"""Other OpenID providers as they are described."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from idp.directory.identity_providers import checked_issuer
from idp.registration.form import Form, Line, ProviderKey

Issuer = Annotated[str, StringConstraints(max_length=512), AfterValidator(checked_issuer)]


class IdentityProviderForm(Form):
    """Another OpenID provider that people may sign in with. Products say which they take."""

    key: ProviderKey
    name: Line
    issuer: Issuer = Field(description="As its ID tokens say it, like https://accounts.google.com.")
    client_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,512}$")]
    client_secret: SecretStr | None = Field(
        default=None, description="Ours there; kept sealed. Left out, the one from before stays."
    )
    hosted_domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{0,253}$")] = Field(
        default="", description="Google Workspace: the only company whose accounts are taken."
    )
    status: Literal["active", "disabled"] = "active"
