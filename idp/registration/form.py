"""How things are described, by a file or by an operator, and the words that all descriptions share.

A field that is left out is left alone where the thing exists already, and takes its default where
it is made. Lists are given whole. Nothing is ever deleted for not being named.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from idp.oidc.client_metadata import CLIENT_ID
from idp.policies.password_age import LEAST_DAYS, MOST_DAYS
from idp.policies.second_factor_terms import LEAST_MINUTES, MOST_MINUTES

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,120}$")]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,500}$")]
ProductKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
PermissionKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._:-]{0,63}$")]
DetailsTypeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.:-]{0,63}$")]
ClientId = Annotated[str, StringConstraints(pattern=f"^{CLIENT_ID}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$", max_length=2048)]
ProviderKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")]
FreshMinutes = Annotated[int, Field(ge=LEAST_MINUTES, le=MOST_MINUTES)]


class Form(BaseModel):
    """Unknown fields are refused, and nothing is guessed from another type."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    def stated(self, names: Iterable[str], is_new: bool) -> dict[str, Any]:
        """Those of the named fields that the file states; of something new all, with defaults."""
        return {
            name: getattr(self, name) for name in names if is_new or name in self.model_fields_set
        }


class PasswordAgeForm(Form):
    """`password_max_age_since` is from when on the age holds. Left out, it follows from what is
    stored: from now on where the age is new or stricter."""

    password_max_age_days: int | None = Field(
        default=None, ge=LEAST_DAYS, le=MOST_DAYS, description="An older password is changed first."
    )
    password_max_age_since: float | None = Field(
        default=None, ge=0, description="From when on that holds, in seconds since 1970."
    )

    @model_validator(mode="after")
    def _of_an_age(self) -> Self:
        if self.password_max_age_since is not None and self.password_max_age_days is None:
            raise ValueError("password_max_age_since is given with password_max_age_days")
        return self
