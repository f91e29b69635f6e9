"""A client that is not ours, and the page on which somebody allows it something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from werkzeug.test import TestResponse

from tests.security.protocol import ASKING, answer_to, register
from tests.world import AMARA, Visitor, World

COMPANIES = {"northwind": "Northwind Lending", "harbor": "Harbor Credit Union"}


def consent_page(world: World, **changed: str | None) -> tuple[Visitor, TestResponse]:
    register(world, ASKING)
    visitor = world.browser()
    page = answer_to(visitor, ASKING, AMARA, **changed)
    assert page.status_code == 200
    assert page.request.path == "/login/consent"
    return visitor, page


def names_alone(page: TestResponse, company: str) -> bool:
    return page.request.path == "/login/consent" and [
        slug for slug, name in COMPANIES.items() if name in page.text
    ] == [company]


def changed(**form: Any) -> Any:
    """The asking client, registered anew."""
    return replace(ASKING, form={**ASKING.form, **form})
