"""Types of authorization details (RFC 9396): what a product lets people allow one by one, as a
payment, and how each is told to them.

A type has fields, and each is shown to the person: nothing is in a token that was not on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import category

from idp.directory.wording import BLANKS, UNSEEN, has_piled_marks

TEXT, AMOUNT, LIST = KINDS = ("text", "amount", "list")
AMOUNTS = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?")
TEXTS = re.compile(f"[^{BLANKS}]{{1,200}}")
MOST_ITEMS = 20

Details = Mapping[str, Any]


class UnfitDetails(Exception):
    """Details that are not of the type; says why, to whoever sent them."""


@dataclass(frozen=True, slots=True)
class DetailsField:
    """`kind` is one of KINDS; with `choices`, a text is one of these."""

    name: str
    title: str
    kind: str = TEXT
    is_required: bool = True
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DetailsType:
    """`sentence` names fields in braces, which are all required."""

    type: str
    title: str
    sentence: str
    fields: tuple[DetailsField, ...]


def read(stored: Iterable[Mapping[str, Any]]) -> dict[str, DetailsType]:
    """What a product has registered (`registration/product_form.py`), by type."""
    return {
        each["type"]: DetailsType(
            each["type"],
            each["title"],
            each["sentence"],
            tuple(
                DetailsField(
                    field["name"],
                    field["title"],
                    field["kind"],
                    field["required"],
                    tuple(field["choices"]),
                )
                for field in each["fields"]
            ),
        )
        for each in stored
    }


def checked(claimed: Mapping[str, Any], known: DetailsType) -> dict[str, Any]:
    """The same, in the order of the type's fields. Raises UnfitDetails (RFC 9396 section 5): every
    required field, no unknown one, and each as its kind wants it."""
    fields = {field.name: field for field in known.fields}
    unknown = sorted(set(claimed) - {"type", *fields})
    if unknown:
        raise UnfitDetails(f"{known.type} has no field {unknown[0][:60]!r}.")
    found: dict[str, Any] = {"type": known.type}
    for name, field in fields.items():
        if name in claimed:
            found[name] = _value(field, claimed[name])
        elif field.is_required:
            raise UnfitDetails(f"{known.type} needs {name}.")
    return found


def _value(field: DetailsField, claimed: object) -> Any:
    if field.kind == LIST:
        if not isinstance(claimed, list) or not 1 <= len(claimed) <= MOST_ITEMS:
            raise UnfitDetails(f"{field.name} has to be a list of 1 to {MOST_ITEMS} texts.")
        return [_text(field, each) for each in claimed]
    return _text(field, claimed)


def is_legible(claimed: object) -> bool:
    """Whether a page shows it as it is: no character that is not seen, or could write over what
    stands beside it; spaces as a page has them, one at a time."""
    return (
        isinstance(claimed, str)
        and TEXTS.fullmatch(claimed) is not None
        and claimed == " ".join(claimed.split())
        and UNSEEN.isdisjoint(map(category, claimed))
        and not has_piled_marks(claimed)
    )


def _text(field: DetailsField, claimed: Any) -> str:
    is_amount = field.kind == AMOUNT
    if not is_legible(claimed) or (is_amount and not AMOUNTS.fullmatch(claimed)):
        raise UnfitDetails(f"{field.name} can't be read as {field.kind}.")
    if field.choices and claimed not in field.choices:
        raise UnfitDetails(f"{field.name} is none of {', '.join(field.choices)}.")
    return str(claimed)
