"""What every page of the consoles has in common, whoever wrote it."""

from __future__ import annotations

import re

import pytest

from tests.world import AMARA, OLU, World

NORTHWIND = "/manage/northwind"
FORMS = [
    *((AMARA, f"{NORTHWIND}/{path}") for path in ("access/new", "invitations/new", "imports/new")),
    *((AMARA, f"{NORTHWIND}/{path}") for path in ("roles/new", "branding", "domains", "policy")),
    *((OLU, f"/operate/{path}") for path in ("tenants/new", "tenants/harbor/visit", "operators")),
    *((OLU, f"/operate/{path}") for path in ("products/new", "products/lms/nodes/new")),
    *((OLU, f"/operate/{path}") for path in ("clients/new", "tenants/harbor/end")),
]
WRONG = {"domain": "no domain", "accent": "no colour", "session_idle_minutes": "x", "email": "x"}


@pytest.mark.parametrize(("person", "path"), FORMS)
def test_a_form_that_is_refused_says_so_in_the_title_and_beside_its_fields(
    world: World, person: str, path: str
) -> None:
    browser = world.browser()
    page = browser.enter(path, person)
    assert "<title>Error:" not in page.text
    for described in (page.text, (refused := browser.submit(page, path, **WRONG)).text):
        assert descriptions(described) <= ids(described)
    assert refused.status_code == 422
    assert "<title>Error: " in refused.text
    assert any(name.endswith("-error") for name in descriptions(refused.text))


@pytest.mark.parametrize("path", ["people", "invitations", "invitations/new", "imports/new"])
def test_pages_within_another_are_found_under_it_in_the_navigation(world: World, path: str) -> None:
    page = world.browser().enter(f"{NORTHWIND}/{path}", AMARA)
    assert f'href="{NORTHWIND}/people" aria-current="page"' in page.text
    assert page.text.count('aria-current="page"') == 1


def descriptions(text: str) -> set[str]:
    return {
        name for found in re.findall(r'aria-describedby="([^"]*)"', text) for name in found.split()
    }


def ids(text: str) -> set[str]:
    return set(re.findall(r'id="([^"]*)"', text))
