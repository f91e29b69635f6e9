"""No page of a sign-in by a company's own provider leads back to itself for ever."""

from __future__ import annotations

import re
from typing import Any

import pytest

from idp.audit import NOWHERE
from idp.login import email_change, email_undo
from tests.account.proving import link_in
from tests.console.company_providers_of import only_way
from tests.console.people_of import give_role, letters, member_id, user_id
from tests.federation.companies import (
    by_company,
    changed,
    id_token,
    key_of,
    northwinds,
    sent_by_address,
)
from tests.federation.known import known_to
from tests.federation.signing_in import come_back, leave, sign_in
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, BEN, PASSWORD, PRIYA, Visitor, World, sent_back

__all__ = ["northwinds"]

ASKS = "Your company asks you to sign in with Northwind Entra."
BUTTON = "Sign in with Northwind Entra"
PRIVATE = "ben@private.example"
UNTOLD = "say when it has seen you"


@pytest.fixture
def visitor(either_world: World, northwinds: UpstreamProvider) -> Visitor:
    return either_world.browser()


def strictly(world: World, upstream: UpstreamProvider, **more: Any) -> None:
    changed(world, upstream, **only_way(world, AMARA), **more)


def type_password(visitor: Visitor, page: Any, email: str = BEN) -> Any:
    return visitor.follow(visitor.submit(page, email=email, password=PASSWORD))


@pytest.mark.parametrize("asked", [{"max_age": "60"}, {"prompt": "login"}], ids=str)
@pytest.mark.parametrize("fault", ["tells_no_time", "sees_nobody_anew"])
def test_who_is_not_seen_anew_there_proves_it_here(
    either_world: World,
    northwinds: UpstreamProvider,
    visitor: Visitor,
    fault: str,
    asked: dict[str, str],
) -> None:
    strictly(either_world, northwinds)
    northwinds.signed_in_at = either_world.clock() - 3600
    setattr(northwinds, fault, True)
    page = by_company(visitor, **asked)
    assert UNTOLD in page.text
    assert BUTTON not in page.text
    claims = id_token(either_world, type_password(visitor, page))
    assert claims["auth_time"] == int(either_world.clock())


def test_the_password_first_and_then_the_company_is_the_same(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    strictly(either_world, northwinds)
    northwinds.tells_no_time = True
    page = visitor.sign_in(BEN, max_age="60")
    assert ASKS in page.text
    answer = come_back(visitor, leave(visitor, page, key_of(either_world)))
    assert "code" in sent_back(answer)


def test_nothing_but_the_address_leads_there_a_second_time(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    strictly(either_world, northwinds)
    northwinds.tells_no_time = True
    page = by_company(visitor, max_age="60")
    again = sent_by_address(visitor, page)
    assert "Enter your password." in again.text
    pressed = leave(visitor, page, key_of(either_world))
    assert pressed.status_code == 400
    assert len(northwinds.authorizations) == 1


def test_who_told_the_time_may_be_seen_again(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    """Whose pages took longer than a recent sign-in is recent."""
    strictly(either_world, northwinds)
    northwinds.account = Account("priya-there", PRIYA, email_verified=None)
    page = by_company(visitor, email=PRIYA, max_age="60")
    assert page.request.path == "/login/tenant"
    either_world.clock.move(301)
    chosen = re.findall(r'name="tenant" value="([^"]+)"', page.text)
    pages = [visitor.follow(visitor.submit(page, tenant=each)) for each in chosen]
    assert sorted(BUTTON in each.text for each in pages) == [False, True]
    assert UNTOLD not in "".join(each.text for each in pages)


def test_a_change_in_the_console_is_made_in_the_end(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    give_role(either_world, BEN, "account_admin")
    strictly(either_world, northwinds)
    northwinds.tells_no_time = True
    by_company(visitor)
    either_world.clock.move(1000)
    path = f"/manage/northwind/people/{member_id(either_world, PRIYA)}/disable"
    page = visitor.follow(visitor.get(path))
    assert BUTTON in page.text, "it may yet tell the time"
    page = come_back(visitor, leave(visitor, page, key_of(either_world)))
    assert UNTOLD in page.text
    assert BUTTON not in page.text
    page = type_password(visitor, page)
    assert page.request.path == path
    assert page.status_code == 200


def test_a_password_alone_is_still_sent_on_to_the_company(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    strictly(either_world, northwinds)
    for asked in ({}, {"max_age": "60"}, {"prompt": "login"}):
        page = either_world.browser().sign_in(BEN, **asked)
        assert ASKS in page.text


def test_s4_while_another_account_waits_to_be_linked_the_only_way_is_open(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    strictly(either_world, northwinds)
    with known_to(either_world) as google:
        google.account = Account("77", BEN)
        page = type_password(visitor, sign_in(visitor))
        assert ASKS in page.text
        assert "So your account at Google is not linked." in page.text
        assert "From then on" not in page.text
        answer = come_back(visitor, leave(visitor, page, key_of(either_world)))
        assert id_token(either_world, answer)["amr"] == ["fed", "pwd"]
    linked = either_world.run("SELECT provider_key FROM linked_accounts")
    assert linked == [(key_of(either_world),)]


def test_s4_while_linking_no_other_provider_is_offered(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    with known_to(either_world) as google:
        google.account = Account("77", BEN)
        page = sign_in(visitor)
        assert "From then on Google signs you in." in page.text
        assert leave(visitor, page, key_of(either_world)).status_code == 400
        assert "Enter your password." in sent_by_address(visitor, page).text


def test_the_way_back_of_an_address_stays_a_rescue_though_the_company_has_an_only_way(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
) -> None:
    """Who has moved to the company's address goes back, and then comes in by a password."""
    either_world.run(
        "UPDATE users SET email = :e, email_canonical = :e WHERE id = :u",
        e=PRIVATE,
        u=user_id(either_world, BEN),
    )
    held, now = either_world.held, either_world.clock()
    providers = held.catalog.current(now).providers
    whose = user_id(either_world, PRIVATE)
    email_change.ask(held.database, held.secret_keys, providers, whose, BEN, now, NOWHERE)
    token = token_in(either_world, "email_link")
    email_change.confirm(held.database, held.secret_keys, providers, whose, token, now, NOWHERE)
    strictly(either_world, northwinds)
    assert ASKS in either_world.browser().sign_in(BEN).text
    email_undo.undo(held.database, token_in(either_world, "email_changed"), now, NOWHERE)
    either_world.clock.move(2)
    assert "code" in sent_back(either_world.browser().sign_in(PRIVATE))


def token_in(world: World, template: str) -> str:
    """Of the last letter of that kind."""
    last = [each for each in letters(world) if each["template"] == template][-1]
    return link_in(world, last).split("token=")[1]
