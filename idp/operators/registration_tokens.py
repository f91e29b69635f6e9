"""Initial access tokens as operators see them: for which clients that register themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from idp.directory import registrations
from idp.directory.acting import Mistake, NotFound
from idp.directory.operating import Operation
from idp.directory.registrations import ClientRegistration, InitialAccessToken
from idp.errors import told
from idp.operators.filling_in import filled_in, told_by_field
from idp.registration import initial_tokens
from idp.registration.initial_tokens import InitialTokenForm


@dataclass(frozen=True, slots=True)
class Made:
    """`secret` is the token, to be shown once. It stays out of any `repr`."""

    token: InitialAccessToken
    secret: str = field(repr=False)


def all_tokens(operation: Operation) -> list[InitialAccessToken]:
    """The newest first. Raises Forbidden."""
    operation.check("products.manage")
    newest = sa.select(InitialAccessToken).order_by(
        InitialAccessToken.created_at.desc(), InitialAccessToken.name
    )
    return list(operation.rows.scalars(newest))


def get_token(operation: Operation, name: str) -> InitialAccessToken:
    """Raises Forbidden, or NotFound."""
    operation.check("products.manage")
    found = operation.rows.get(InitialAccessToken, name)
    if found is None:
        raise NotFound("no such initial access token")
    return found


def make(operation: Operation, values: Mapping[str, Any]) -> Made:
    """`values` are an InitialTokenForm's. Raises Forbidden, RecentSignInNeeded, or Mistake."""
    _check_may_write(operation)
    form = filled_in(InitialTokenForm, values)
    try:
        with told_by_field(), operation.rows.begin_nested():
            secret = initial_tokens.make(operation.rows, form, operation.now)
    except sa.exc.IntegrityError:
        raise Mistake(name=told("This name is another one's, or was.")) from None
    fields = form.model_dump(exclude={"name", "product"})
    operation.record(
        "registration_token.made", token=form.name, product=form.product, fields=fields
    )
    return Made(get_token(operation, form.name), secret)


def end(operation: Operation, token: InitialAccessToken) -> None:
    """Nobody registers by it any more; who has, stays. Raises Forbidden, or RecentSignInNeeded."""
    _check_may_write(operation)
    if registrations.end(operation.db, token.name, operation.now):
        operation.record("registration_token.ended", token=token.name)
        operation.rows.refresh(token)


def find_registration(operation: Operation, client_id: str) -> ClientRegistration | None:
    """Of a client that registered itself."""
    operation.check("products.manage")
    return operation.rows.get(ClientRegistration, client_id)


def _check_may_write(operation: Operation) -> None:
    operation.check("products.manage")
    operation.check_recent()
