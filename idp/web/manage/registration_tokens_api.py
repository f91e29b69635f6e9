"""Initial access tokens at the API. One is in the answer that made it, and in no other."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.operating import Operation
from idp.directory.registrations import InitialAccessToken
from idp.errors import told
from idp.operators import registration_tokens
from idp.registration.initial_tokens import MOST_HOURS, MOST_USES
from idp.web.manage.api import PLATFORM, Answer, Listing, Moment, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("registration_tokens", told("Initial access tokens"))

TOKENS = f"{PLATFORM}/registration-tokens"
TOKEN = f"{TOKENS}/<name>"
NEEDS = "products.manage"


class TokenTold(Answer):
    """`id` is its name. `policy` is what clients may be that register by it."""

    id: str
    name: str
    product: str
    policy: dict[str, Any]
    uses: int
    used: int
    created_at: Moment
    expires_at: Moment
    ended_at: Moment | None


class TokenMade(TokenTold):
    """With the token itself: this once."""

    initial_access_token: str


class NewToken(Sent):
    """What is left out has the default of `idp registration-tokens make`."""

    example: ClassVar[dict[str, Any]] = {
        "name": "partners",
        "product": "lms",
        "redirect_hosts": ["*.partner.example"],
        "uses": 5,
    }

    name: str = Field(max_length=63, description=told("It is its own for good."))
    product: str = Field(max_length=32)
    redirect_hosts: list[str] = Field(
        max_length=50, description=told("Of every address that its clients may name; * for any.")
    )
    scope: str | None = Field(None, max_length=1000)
    grant_types: list[str] | None = Field(None, max_length=20)
    token_endpoint_auth_methods: list[str] | None = Field(None, max_length=20)
    require_pkce: bool | None = None
    require_software_statement: bool | None = None
    uses: int | None = Field(None, ge=1, le=MOST_USES, description=told("So many clients."))
    hours: int | None = Field(None, ge=1, le=MOST_HOURS, description=told("So long it is good."))


@api.get(TOKENS, told("List initial access tokens"), needs=NEEDS)
def listing(operation: Operation) -> Listing[TokenTold]:
    return listed(TokenTold, map(_fields, registration_tokens.all_tokens(operation)))


@api.post(TOKENS, told("Make an initial access token"), needs=NEEDS)
def make(operation: Operation, body: NewToken) -> TokenMade:
    values = {name: value for name, value in body if value is not None}
    made = registration_tokens.make(operation, values)
    return TokenMade.model_validate({**_fields(made.token), "initial_access_token": made.secret})


@api.get(TOKEN, told("See an initial access token"), needs=NEEDS)
def show(operation: Operation, name: str) -> TokenTold:
    return TokenTold.model_validate(_fields(registration_tokens.get_token(operation, name)))


@api.post(f"{TOKEN}/end", told("End an initial access token"), needs=NEEDS, status=204)
def end(operation: Operation, name: str) -> None:
    """Nobody registers by it any more; who has, stays."""
    registration_tokens.end(operation, registration_tokens.get_token(operation, name))


def _fields(token: InitialAccessToken) -> dict[str, Any]:
    plain = ("name", "policy", "uses", "used", "created_at", "expires_at", "ended_at")
    told_of = {name: getattr(token, name) for name in plain}
    return {"id": token.name, "product": token.product_key, **told_of}
