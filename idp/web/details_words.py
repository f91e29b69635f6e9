"""What people allow one by one (RFC 9396), in the words of the product that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from idp.directory.catalog import Catalog
from idp.directory.details_types import Details, DetailsType


class ToldDetails(NamedTuple):
    """`sentence` says it in one; `fields` are all that there is, by their titles, and of a list one
    for each text: two lists never look alike."""

    title: str
    sentence: str
    product: str
    fields: list[tuple[str, str]]


def told(details: Iterable[Details], catalog: Catalog) -> list[ToldDetails]:
    known = {
        name: (product.name, each)
        for product in catalog.products.values()
        for name, each in product.details_types.items()
    }
    return [_told(each, *known[each["type"]]) for each in details if each["type"] in known]


def _told(details: Details, product: str, known: DetailsType) -> ToldDetails:
    fields = [
        (field.title, text)
        for field in known.fields
        if field.name in details
        for text in _texts(details[field.name])
    ]
    sentence = re.sub(r"\{([^{}]+)\}", lambda named: str(details[named[1]]), known.sentence)
    return ToldDetails(known.title, sentence or known.title, product, fields)


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
