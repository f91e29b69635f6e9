"""Initial access tokens (RFC 7591 section 3), made like a form: for which product, for how many
clients, until when, and what those may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy.orm import Session

from idp.directory.products import BUILT_IN, Product
from idp.directory.registrations import InitialAccessToken
from idp.errors import FormMistake, told
from idp.registration.form import ProductKey
from idp.registration.policy import RegistrationPolicy
from idp.secret_values import fingerprint, new_secret

HOUR = 3600.0
MOST_USES, MOST_HOURS = 10_000, 366 * 24

TokenName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]


class InitialTokenForm(RegistrationPolicy):
    name: TokenName
    product: ProductKey
    uses: int = Field(default=1, ge=1, le=MOST_USES, description="So many clients.")
    hours: int = Field(default=24, ge=1, le=MOST_HOURS, description="So long it is good.")


def make(session: Session, form: InitialTokenForm, now: float) -> str:
    """The token, which is told this once. Its name is its own for good. Raises FormMistake."""
    place = f"initial access token {form.name}"
    if session.get(InitialAccessToken, form.name) is not None:
        raise FormMistake(place, "name", told("This name is another one's, or was."))
    if form.product in BUILT_IN or session.get(Product, form.product) is None:
        raise FormMistake(place, "product", told("Clients can't register for this product."))
    token = new_secret()
    policy = form.model_dump(include=set(RegistrationPolicy.model_fields))
    session.add(
        InitialAccessToken(
            name=form.name,
            token_hash=fingerprint(token),
            product_key=form.product,
            policy=policy,
            uses=form.uses,
            used=0,
            created_at=now,
            expires_at=now + form.hours * HOUR,
        )
    )
    session.flush()
    return token
