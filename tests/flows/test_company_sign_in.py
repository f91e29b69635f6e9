"""Signing in by one's company's own provider: who is sent there, and what it opens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.account.proving import mail_to
from tests.console.company_providers_of import (
    change,
    columns,
    of_domain,
    only_way,
    route,
    turn,
    verified_domain,
)
from tests.console.people_of import member_id, user_id
from tests.federation.companies import (
    by_company,
    key_of,
    leave_by_address,
    northwinds,
    sent_by_address,
    set_up,
)
from tests.federation.signing_in import come_back, leave, sent_to
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.second_factors import demand_a_second_factor, require_of_staff
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
    claims_of,
    sent_back,
)

__all__ = ["northwinds"]

REFUSED = "That account could not be used to sign in here."
NEW = "nadia@northwind.example"


def changed(world: World, upstream: UpstreamProvider, **more: Any) -> None:
    client = {"issuer": upstream.issuer, "client_id": upstream.client_id}
    change(world, key_of(world), **client, **more)
    world.clock.move(2)


def role_of(world: World, key: str = "agent") -> str:
    [(role_id,)] = world.run(
        "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id"
        " WHERE t.slug = 'northwind' AND r.key = :key",
        key=key,
    )
    return str(role_id)


def id_token(world: World, answer: Any, client_id: str = "lms") -> dict[str, Any]:
    tokens = world.redeem(sent_back(answer)["code"], client_id).json or {}
    return claims_of(tokens["id_token"])


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
    page = visitor.follow(visitor.authorize("connections"))
    assert page.request.path == "/login/password"


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


def test_who_is_nobody_here_is_admitted_where_the_company_says_so(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    northwinds.account = Account("nadia", NEW, name="Nadia Osei")
    answer = by_company(visitor, email=NEW)
    assert "code" in sent_back(answer)
    [(name, verified)] = either_world.run(
        "SELECT name, email_verified_at FROM users WHERE email = :e", e=NEW
    )
    assert (name, verified) == ("Nadia Osei", either_world.clock())
    [event] = either_world.audit("person.admitted")
    assert event["after"] == ["agent"]
    assert event["provider"] == key_of(either_world)


def test_who_has_an_account_already_is_admitted_as_who_they_are(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    either_world.apply(users=[{"email": NEW, "name": "Nadia", "email_verified": True}])
    northwinds.account = Account("nadia", NEW)
    own = user_id(either_world, NEW)
    assert id_token(either_world, by_company(visitor, email=NEW))["sub"] == own


def test_sec_80_nor_who_has_an_address_that_somebody_had_here(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    either_world.run(
        "INSERT INTO former_addresses (tenant_id, email, user_id)"
        " SELECT m.tenant_id, :new, m.user_id FROM memberships m WHERE m.id = :id",
        new=NEW,
        id=member_id(either_world, BEN),
    )
    northwinds.account = Account("nadia", NEW)
    assert REFUSED in by_company(visitor, email=NEW).text
    assert either_world.audit("person.admitted") == []


def test_a_trusted_second_factor_is_asked_for_as_young_as_ours_has_to_be(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    by_company(either_world.browser())
    asked = northwinds.authorizations[-1]["max_age"]
    assert asked == str(either_world.settings.session_absolute_lifetime)
    changed(either_world, northwinds, trusted_acr="gold")
    by_company(visitor)
    asked = northwinds.authorizations[-1]["max_age"]
    assert asked == str(either_world.settings.second_factor_lifetime)


@pytest.mark.parametrize("status", ["disabled", "ended"])
def test_sec_80_who_was_put_out_is_not_admitted_again(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor, status: str
):
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    membership = member_id(either_world, BEN)
    either_world.run("UPDATE memberships SET status = :s WHERE id = :id", s=status, id=membership)
    page = by_company(visitor)
    assert page.status_code in (400, 403)
    assert "code" not in page.headers.get("Location", "")
    assert either_world.audit("person.admitted") == []
    linked = either_world.run("SELECT count(*) FROM linked_accounts")
    assert linked == [(0 if status == "ended" else 1,)]


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE domains SET failing_since = 1 WHERE name = 'northwind.example'",
        "UPDATE domains SET verified_at = NULL WHERE name = 'northwind.example'",
        "UPDATE company_providers SET admits_role_id = 'gone'",
        "UPDATE company_providers SET admits_role_id = NULL",
        "UPDATE company_providers SET status = 'disabled'",
        "UPDATE roles SET all_permissions = true WHERE key = 'agent'",
        "DELETE FROM routed_domains",
        "UPDATE routed_domains SET provider_id = 'another'",
    ],
)
def test_sec_79_what_has_changed_since_it_was_known_counts(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor, spoil: str
):
    """Every process knows within a second; who is admitted is judged by what is."""
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    northwinds.account = Account("nadia", NEW)
    left = leave_by_address(visitor, visitor.follow(visitor.authorize("lms")), NEW)
    another(either_world)
    either_world.run(spoil)
    assert REFUSED in come_back(visitor, left).text
    assert either_world.run("SELECT id FROM users WHERE email = :e", e=NEW) == []


def another(world: World) -> None:
    """A second provider of the company's, like the first, which has a second domain."""
    other = verified_domain(world, "northwind-brokers.example")
    route(world, other, key_of(world))
    [(names,)] = world.run(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns"
        " WHERE table_name = 'company_providers' AND column_name <> 'id'"
        if world.held.database.engine.dialect.name == "postgresql"
        else "SELECT group_concat(name, ', ') FROM pragma_table_info('company_providers')"
        " WHERE name <> 'id'"
    )
    world.run(
        f"INSERT INTO company_providers (id, {names}) SELECT 'another', {names}"
        " FROM company_providers"
    )


def test_its_second_factor_counts_where_the_company_trusts_it(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    require_of_staff(either_world)
    northwinds.account = replace(northwinds.account, amr=("pwd", "otp"), acr="gold")
    assert by_company(either_world.browser()).request.path == "/login/enrol"
    changed(either_world, northwinds, trusted_acr="gold silver")
    claims = id_token(either_world, by_company(visitor))
    assert (claims["acr"], claims["amr"]) == ("aal2", ["fed", "mfa"])


def test_or_one_of_the_ways_in_which_it_was_proven(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    require_of_staff(either_world)
    changed(either_world, northwinds, trusted_amr="hwk otp")
    northwinds.account = replace(northwinds.account, amr=("pwd",))
    assert by_company(either_world.browser()).request.path == "/login/enrol"
    northwinds.account = replace(northwinds.account, amr=("pwd", "hwk"))
    assert id_token(either_world, by_company(visitor))["acr"] == "aal2"


def of_silent_sign_ins(world: World, upstream: UpstreamProvider) -> None:
    """LMS wants a second factor of the last quarter of an hour; there it was proven before."""
    world.run("UPDATE products SET second_factor_minutes = 15 WHERE key = 'lms'")
    demand_a_second_factor(world, "lms")
    changed(world, upstream, trusted_amr="hwk")
    upstream.account = replace(upstream.account, amr=("hwk",))
    upstream.signed_in_at = world.clock() - 901


def test_one_that_is_too_old_is_asked_for_there_again(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    of_silent_sign_ins(either_world, northwinds)
    page = by_company(visitor)
    assert "Your company asks you to sign in with Northwind Entra." in page.text
    answer = come_back(visitor, leave(visitor, page, key_of(either_world)))
    assert northwinds.authorizations[-1]["prompt"] == "login"
    assert northwinds.authorizations[-1]["max_age"] == "300"
    assert "code" in sent_back(answer)


@pytest.mark.parametrize("fault", ["tells_no_time", "sees_nobody_anew"])
def test_one_of_a_provider_that_sees_nobody_anew_is_none(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor, fault: str
):
    of_silent_sign_ins(either_world, northwinds)
    page = by_company(visitor)
    setattr(northwinds, fault, True)
    page = come_back(visitor, leave(visitor, page, key_of(either_world)))
    assert page.request.path == "/login/enrol"


def test_a_recent_sign_in_is_asked_for_there_and_has_to_be_told(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    page = by_company(visitor, max_age="60")
    assert "code" in sent_back(page)
    assert northwinds.authorizations[-1]["prompt"] == "login"
    northwinds.tells_no_time = True
    page = by_company(either_world.browser(), max_age="60")
    assert page.request.path == "/login/password"


def test_another_provider_for_the_domain_takes_over(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    by_company(visitor)
    before = key_of(either_world)
    after = set_up(either_world, northwinds, name="Northwind Okta")
    assert before != after
    upstream = of_domain(either_world)
    assert upstream is not None
    assert upstream.key == after
    claims = id_token(either_world, by_company(either_world.browser()))
    assert claims["sub"] == user_id(either_world, BEN), "the account there is the same"
    assert columns(either_world, before)["status"] == "active"
