"""The pages on a company's identity providers, as an account admin goes through them."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from idp.directory import company_providers
from idp.directory.acting import RECENT
from tests.console.administering import with_roles
from tests.console.company_providers_of import (
    SECRET,
    SOUND,
    add,
    change,
    columns,
    link,
    only_way,
    route,
    turn,
    verified_domain,
)
from tests.console.people_of import ask, member_id
from tests.console.test_company_providers_people import role_id
from tests.console.test_factor_reset import prove_a_second_factor, with_second_factor
from tests.world import AMARA, BEN, DANA, Visitor, World

PAGES = "/manage/northwind/identity-providers"
FILLED = {
    "name": SOUND.name,
    "issuer": SOUND.issuer,
    "client_id": SOUND.client_id,
    "secret": SECRET,
    "email_claim": "email",
    "name_claim": "name",
    "admits_role_id": "",
    "trusted_acr": "",
    "trusted_amr": "mfa",
}


@pytest.fixture
def browser(either_world: World) -> Visitor:
    return with_second_factor(either_world, AMARA)


def saved(browser: Visitor, answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return browser.follow(answer).text


def test_it_is_added_routed_changed_stopped_and_removed(
    either_world: World, browser: Visitor
) -> None:
    assert "No provider yet" in browser.get(PAGES).text
    page = browser.get(f"{PAGES}/new")
    text = saved(browser, browser.submit(page, **FILLED))
    assert f"{SOUND.name} is added" in text
    ((provider_id,),) = ask(either_world, "SELECT id FROM company_providers")
    assert f"http://localhost:8000/login/upstream/{provider_id}/return" in text
    assert "Verify your domain" in browser.get(PAGES).text
    domain_id = verified_domain(either_world)
    page = browser.get(PAGES)
    assert "northwind.example" in page.text
    answer = browser.submit(
        page, f"/manage/northwind/domains/{domain_id}/route", provider=provider_id
    )
    assert "counts from the next sign-in on" in saved(browser, answer)
    one = f"{PAGES}/{provider_id}"
    page = browser.get(f"{one}/edit")
    assert 'value="latchkey"' in page.text
    answer = browser.submit(page, **{**FILLED, "secret": "", "name": "Entra"})
    assert "Entra is saved." in saved(browser, answer)
    text = saved(browser, browser.submit(browser.get(f"{one}/disable"), f"{one}/disable"))
    assert "signs nobody in" in text
    text = saved(browser, browser.submit(browser.get(one), f"{one}/enable"))
    assert "signs people in again" in text
    text = saved(browser, browser.submit(browser.get(f"{one}/remove"), f"{one}/remove"))
    assert "Entra is removed." in text
    assert "No provider yet" in text


def test_nothing_shows_the_secret_and_what_was_typed_is_kept(
    either_world: World, browser: Visitor
) -> None:
    page = browser.get(f"{PAGES}/new")
    wrong = browser.submit(page, **{**FILLED, "issuer": "http://wrong.example", "is_only_way": "1"})
    assert wrong.status_code == 422
    assert 'value="http://wrong.example"' in wrong.text
    assert 'id="issuer-error"' in wrong.text
    assert re.search(r'name="is_only_way" value="1" checked', wrong.text)
    provider_id = add(either_world)
    for path in ("", f"/{provider_id}", f"/{provider_id}/edit", f"/{provider_id}/remove"):
        assert SECRET not in browser.get(PAGES + path).text
    assert SECRET not in wrong.text


def test_boxes_and_lists_are_saved_and_shown(either_world: World, browser: Visitor) -> None:
    agent, amara = role_id(either_world, "agent"), member_id(either_world, AMARA)
    page = browser.get(f"{PAGES}/new")
    more = {"is_only_way": "1", "left_out": amara, "admits_role_id": agent}
    text = saved(browser, browser.submit(page, **{**FILLED, **more, "trusted_amr": "mfa\r\nhwk"}))
    assert "None, but for who is left out" in text
    assert "at their first sign-in" in text
    assert "amr hwk" in text
    ((provider_id,),) = ask(either_world, "SELECT id FROM company_providers")
    form = browser.get(f"{PAGES}/{provider_id}/edit").text
    assert f'name="left_out" value="{amara}" checked' in form
    assert f'<option value="{agent}" selected>' in form
    answer = browser.submit(browser.get(f"{PAGES}/{provider_id}/edit"), **FILLED)
    assert "Passwords and passkeys do too" in saved(browser, answer)
    assert columns(either_world, provider_id)["left_out"] == ""


def test_removal_says_whom_it_hits(either_world: World, browser: Visitor) -> None:
    provider_id = add(either_world, **only_way(either_world, AMARA))
    route(either_world, verified_domain(either_world), provider_id)
    link(either_world, BEN, provider_id, "1")
    link(either_world, DANA, provider_id, "2")
    either_world.run("DELETE FROM passwords")
    text = browser.get(f"{PAGES}/{provider_id}/remove").text
    assert "2 people sign in by it." in text
    assert "2 of them have no password or passkey here" in text
    assert "northwind.example" in text
    assert "only way no more" in text


def test_stopping_says_that_who_came_in_by_it_is_out(either_world: World, browser: Visitor) -> None:
    provider_id = add(either_world)
    for act in ("disable", "remove"):
        text = browser.get(f"{PAGES}/{provider_id}/{act}").text
        assert "Whoever came in by it alone is out within a second" in text
        assert ("count again" in text) == (act == "disable")
    turn(either_world, provider_id, "disabled")
    assert "out within a second" not in browser.get(f"{PAGES}/{provider_id}/remove").text


def test_a_form_that_somebody_overtook_shows_what_is_there_now(
    either_world: World, browser: Visitor
) -> None:
    provider_id = add(either_world)
    form = browser.get(f"{PAGES}/{provider_id}/edit")
    stop = browser.get(f"{PAGES}/{provider_id}/remove")
    off = browser.get(f"{PAGES}/{provider_id}/disable")
    change(either_world, provider_id, name="Of somebody else")
    for page, fields in ((form, FILLED), (stop, {}), (off, {})):
        answer = browser.submit(page, **fields)
        assert answer.status_code == 409
        assert "Of somebody else" in answer.text
        assert "Somebody else has changed this." in answer.text
    domain_id = verified_domain(either_world)
    page = browser.get(PAGES)
    route(either_world, domain_id, provider_id)
    path = f"/manage/northwind/domains/{domain_id}/route"
    assert browser.submit(page, path, provider="").status_code == 409
    assert columns(either_world, provider_id)["status"] == "active"


def forms(provider_id: str) -> list[str]:
    return ["/new", *(f"/{provider_id}/{act}" for act in ("edit", "disable", "remove"))]


def test_who_has_the_permission_alone_reads(either_world: World) -> None:
    provider_id = add(either_world)
    verified_domain(either_world)
    role = {"permissions": {"console": [company_providers.PERMISSION]}, "rank": 99}
    with_roles(either_world, DANA, {"security": role})
    browser = with_second_factor(either_world, DANA)
    for path in ("", f"/{provider_id}"):
        page = browser.get(PAGES + path)
        assert page.status_code == 200
        assert 'method="post" action="/manage' not in page.text
        assert "/edit" not in page.text
    for path in (
        "/new",
        f"/{provider_id}/edit",
        f"/{provider_id}/disable",
        f"/{provider_id}/remove",
    ):
        assert browser.get(PAGES + path).status_code == 403


def test_a_form_is_shown_to_who_has_just_proven_a_second_factor(either_world: World) -> None:
    provider_id = add(either_world)
    browser = either_world.browser()
    browser.enter("/manage/northwind")
    for path in (
        "/new",
        f"/{provider_id}/edit",
        f"/{provider_id}/disable",
        f"/{provider_id}/remove",
    ):
        answer = browser.get(PAGES + path)
        assert answer.headers["Location"].startswith("/authorize?attempt=")
    away = browser.get(f"{PAGES}/new")
    prove_a_second_factor(either_world, AMARA)
    page = browser.follow(away)
    assert page.request.path == f"{PAGES}/new"
    either_world.clock.move(RECENT + 1)
    answer = browser.submit(page, **FILLED)
    assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert len(ask(either_world, "SELECT * FROM company_providers")) == 1


def test_a_domain_that_routes_is_removed_by_nobody(either_world: World, browser: Visitor) -> None:
    provider_id, domain_id = add(either_world), verified_domain(either_world)
    path = f"/manage/northwind/domains/{domain_id}/remove"
    page = browser.get(path)
    route(either_world, domain_id, provider_id)
    refused = browser.submit(page, path)
    assert refused.status_code == 422
    assert "End that first" in refused.text
    assert "Remove the domain" not in browser.get(path).text


def test_it_is_found_from_the_settings(either_world: World, browser: Visitor) -> None:
    assert f'href="{PAGES}"' in browser.get("/manage/northwind/settings").text
    provider_id = add(either_world)
    assert f'href="{PAGES}/{provider_id}"' in browser.get(PAGES).text
