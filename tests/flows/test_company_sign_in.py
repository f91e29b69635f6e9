"""Signing in by one's company's own provider: who is sent there, and what it opens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory import company_providers
from idp.grants import provider_changes
from tests.account.proving import mail_to
from tests.console.administering import proven
from tests.console.company_providers_of import (
    only_way,
    turn,
)
from tests.console.people_of import member_id, user_id
from tests.federation.companies import (
    by_company,
    changed,
    id_token,
    key_of,
    leave_by_address,
    northwinds,
    sent_by_address,
)
from tests.federation.signing_in import come_back, leave, sent_to
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import (
    AMARA,
    BEN,
    DANA,
    HANA,
    PASSWORD,
    PRIYA,
    VICTOR,
    Visitor,
    World,
    sent_back,
)

__all__ = ["northwinds"]

REFUSED = "That account could not be used to sign in here."
NEW = "nadia@northwind.example"


@pytest.fixture
def visitor(either_world: World, northwinds: UpstreamProvider) -> Visitor:
    return either_world.browser()


def test_an_address_is_enough_to_be_sent_to_its_company(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    page = visitor.follow(visitor.authorize("lms"))
    left = sent_by_address(visitor, page)
    assert sent_to(left).startswith(northwinds.issuer)
    answer = come_back(visitor, left)
    assert id_token(either_world, answer)["amr"] == ["fed"]
    assert northwinds.authorizations[-1]["login_hint"] == BEN
    assert "prompt" not in northwinds.authorizations[-1]


def test_any_address_of_the_domain_is_sent_there_and_none_of_another(visitor: Visitor):
    page = visitor.follow(visitor.authorize("lms"))
    assert sent_to(sent_by_address(visitor, page, "nobody@NORTHWIND.example"))
    page = sent_by_address(visitor, page, "hana@harbor.example")
    assert page.status_code == 400
    assert "Enter your password." in page.text


def test_the_button_says_so_where_no_company_is_known(visitor: Visitor):
    page = visitor.follow(visitor.authorize("lms"))
    assert "Sign in with your company" in page.text
    assert sent_to(leave_by_address(visitor, page))
    answer = leave_by_address(visitor, page, HANA)
    assert answer.status_code == 400
    assert "We know no company&#39;s own sign-in for this address." in answer.text


def test_a_request_that_names_the_company_offers_its_provider(visitor: Visitor):
    page = visitor.follow(visitor.authorize("lms", tenant="northwind"))
    assert "Sign in with Northwind Entra" in page.text
    assert "Northwind Entra" not in visitor.follow(visitor.authorize("lms", tenant="harbor")).text


def test_no_company_with_a_provider_no_button(either_world: World):
    visitor = either_world.browser()
    assert "your company" not in visitor.follow(visitor.authorize("lms")).text


def test_a_password_goes_on_working_where_it_is_not_the_only_way(visitor: Visitor):
    assert "code" in sent_back(visitor.sign_in(BEN))


def test_a_member_is_linked_at_once_and_told(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    assert "code" in sent_back(by_company(visitor))
    [(subject, user)] = either_world.run("SELECT subject, user_id FROM linked_accounts")
    assert (subject, user) == ("ben-there", user_id(either_world, BEN))
    assert mail_to(either_world, BEN, "account/linked")
    northwinds.account = replace(northwinds.account, email=DANA)
    claims = id_token(either_world, by_company(either_world.browser()))
    assert claims["sub"] == user_id(either_world, BEN), "known by the subject from now on"


@pytest.mark.parametrize(
    "account",
    [
        Account("x", HANA),
        Account("x", "nobody@northwind.example"),
        Account("x", VICTOR),
        Account("x", None),
        Account("x", BEN, email_verified=False),
        Account("x", f"{BEN}@harbor.example"),
    ],
)
def test_sec_60_a_company_vouches_for_its_own_people_alone(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor, account: Account
):
    northwinds.account = account
    page = by_company(visitor)
    assert page.status_code == 400
    assert REFUSED in page.text
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(0,)]


def test_sec_60_nor_for_a_member_whose_address_is_of_no_domain_of_the_companys(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    elsewhere = "ben@elsewhere.example"
    either_world.run(
        "UPDATE users SET email = :e, email_canonical = :e WHERE email_canonical = :b",
        e=elsewhere,
        b=BEN,
    )
    northwinds.account = Account("x", elsewhere)
    assert REFUSED in by_company(visitor).text
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(0,)]


def test_sec_60_an_address_that_nobody_has_verified_here_is_nobodys(
    either_world: World, visitor: Visitor
):
    either_world.run("UPDATE users SET email_verified_at = NULL WHERE email = :e", e=BEN)
    assert REFUSED in by_company(visitor).text


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM company_providers",
        "UPDATE company_providers SET status = 'disabled'",
        "UPDATE company_providers SET issuer = 'https://other.example'",
    ],
)
def test_sec_60_a_provider_that_is_another_by_now_links_nobody(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor, spoil: str
):
    left = leave_by_address(visitor, visitor.follow(visitor.authorize("lms")))
    either_world.run(spoil)
    assert REFUSED in come_back(visitor, left).text
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(0,)]


def test_sec_60_a_guest_is_none_of_the_companys_own(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    either_world.run(
        "UPDATE memberships SET source = 'cross_tenant' WHERE id = :id",
        id=member_id(either_world, BEN),
    )
    assert REFUSED in by_company(visitor).text


def test_sec_60_one_account_there_for_one_person_here(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    by_company(visitor)
    northwinds.account = replace(northwinds.account, sub="another")
    assert REFUSED in by_company(either_world.browser()).text


def test_sec_80_it_opens_its_own_company_and_asks_for_ones_own_proof_in_another(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    northwinds.account = replace(northwinds.account, sub="priya", email=PRIYA)
    answer = by_company(visitor, email=PRIYA, tenant="northwind")
    assert id_token(either_world, answer)["amr"] == ["fed"]
    page = visitor.follow(visitor.authorize("lms", tenant="harbor"))
    assert page.request.path == "/login/password"
    answer = visitor.follow(visitor.submit(page, email=PRIYA, password=PASSWORD))
    assert id_token(either_world, answer)["amr"] == ["pwd"]


def test_sec_80_nor_does_it_show_the_account_of_who_is_in_another(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    northwinds.account = replace(northwinds.account, sub="priya", email=PRIYA)
    by_company(visitor, email=PRIYA, tenant="northwind")
    assert visitor.follow(visitor.get("/account")).request.path == "/login/password"


def test_sec_80_switched_off_what_it_has_let_in_opens_nothing_more(
    either_world: World, visitor: Visitor
):
    by_company(visitor)
    turn(either_world, key_of(either_world), "disabled")
    either_world.clock.move(2)
    assert is_asked_anew(visitor)


def test_switched_on_again_what_it_had_let_in_counts_again_and_removed_never(
    either_world: World, visitor: Visitor
):
    answer = by_company(visitor, scope="openid offline_access")
    given = either_world.redeem(sent_back(answer)["code"]).json or {}
    key = key_of(either_world)
    turn(either_world, key, "disabled")
    either_world.clock.move(2)
    assert either_world.refresh(given["refresh_token"]).status_code == 400
    assert is_asked_anew(visitor)
    turn(either_world, key, "active")
    either_world.clock.move(2)
    again = either_world.refresh(given["refresh_token"])
    assert again.status_code == 200, again.text
    given = again.json or {}
    assert "code" in sent_back(visitor.follow(visitor.authorize("lms")))
    with proven(either_world) as admin:
        provider_changes.remove(admin, key, company_providers.get(admin, key).digest)
    either_world.clock.move(2)
    assert either_world.refresh(given["refresh_token"]).status_code == 400
    assert is_asked_anew(visitor)


def is_asked_anew(visitor: Visitor) -> bool:
    page = visitor.follow(visitor.authorize("connections"))
    return bool(page.request.path == "/login/password")


def test_where_it_is_the_only_way_a_password_is_not_enough(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    page = visitor.sign_in(BEN)
    assert page.request.path == "/login/password"
    assert "Your company asks you to sign in with Northwind Entra." in page.text
    assert 'type="password"' not in page.text
    answer = come_back(visitor, leave(visitor, page, key_of(either_world)))
    assert "code" in sent_back(answer)


def test_and_a_session_from_before_is_none_either(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    visitor.sign_in(BEN)
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    assert sent_back(visitor.authorize("lms", prompt="none"))["error"] == "login_required"


def test_but_for_who_is_left_out_when_it_is_down(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    northwinds.down()
    assert "code" in sent_back(visitor.sign_in(AMARA))
    page = either_world.browser().sign_in(BEN)
    assert page.request.path == "/login/password"
