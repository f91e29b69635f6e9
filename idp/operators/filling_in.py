"""What an operator filled in, as one of the forms that set-up files use: one rule for both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError

from idp.directory.acting import Mistake
from idp.errors import FormMistake, told
from idp.registration.form import Form

Filled = TypeVar("Filled", bound=Form)

UNFIT = told("This can't be taken as it is.")
SENTENCES = {
    "slug": told("Begin with a letter; then letters a to z, digits and hyphens, 2 to 63 in all."),
    "name": told("Give it a name of 1 to 120 characters, in one line."),
    "client_name": told("Give it a name of 1 to 120 characters, in one line."),
    "client_id": told("2 to 64 of a to z, digits, dots, hyphens and underscores."),
    "key": told("Begin with a letter; then letters a to z, digits and hyphens."),
    "color": told("Give a colour as #rrggbb."),
    "icon": told("Give the name of a Tabler icon, like building-bank."),
    "description": told("Give at most 500 characters, in one line."),
    "jwks": told("Give a JWK Set: an object with a list of keys."),
    "default_max_age": told("Give a number of seconds."),
    "second_factor_minutes": told("Give a number of minutes, from 1 to 1,440, or nothing."),
    "password_max_age_days": told("Give a number of days, from 30 to 730, or nothing."),
    "redirect_hosts": told("Give hosts like app.example or *.app.example, or * for any."),
    "uses": told("Give a number of clients, from 1 to 10,000."),
    "hours": told("Give a number of hours, from 1 to 8,784."),
    "scope": told("Give words with single spaces between them."),
}


def filled_in(form: type[Filled], values: Mapping[str, Any]) -> Filled:
    """Raises Mistake, with a sentence for each field that can't be taken."""
    try:
        return form.model_validate(values)
    except ValidationError as problem:
        fields = [str(fault["loc"][0]) for fault in problem.errors() if fault["loc"]]
        errors = {field: SENTENCES.get(field, UNFIT) for field in fields}
        raise Mistake(**errors or {"form": UNFIT}) from None


@contextmanager
def told_by_field() -> Iterator[None]:
    """The mistakes that the rules of registration find, beside their fields."""
    try:
        yield
    except FormMistake as mistake:
        raise Mistake(**{mistake.field: mistake.sentence}) from mistake
