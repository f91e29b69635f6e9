"""Whom a company's own provider admits, and what it has to say of a second factor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.console.company_providers_of import (
    columns,
    of_domain,
    route,
    verified_domain,
)
from tests.console.people_of import member_id, user_id
from tests.federation.companies import (
    by_company,
    changed,
    id_token,
    key_of,
    leave_by_address,
    northwinds,
    set_up,
)
from tests.federation.signing_in import come_back, leave
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.second_factors import demand_a_second_factor, require_of_staff
from tests.world import (
    AMARA,
    BEN,
    Visitor,
    World,
    sent_back,
)

__all__ = ["northwinds"]

REFUSED = "That account could not be used to sign in here."
NEW = "nadia@northwind.example"


def role_of(world: World, key: str = "agent") -> str:
    [(role_id,)] = world.run(
        "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id"
        " WHERE t.slug = 'northwind' AND r.key = :key",
        key=key,
    )
    return str(role_id)


@pytest.fixture
def visitor(either_world: World, northwinds: UpstreamProvider) -> Visitor:
    return either_world.browser()


def test_who_is_nobody_here_is_admitted_where_the_company_says_so(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    northwinds.account = Account("nadia", NEW, name="Nadia Osei")
    answer = by_company(visitor, email=NEW, ui_locales="es")
    assert "code" in sent_back(answer)
    [made] = either_world.run(
        "SELECT name, email_verified_at, locale FROM users WHERE email = :e", e=NEW
    )
    assert made == ("Nadia Osei", either_world.clock(), "es")
    [event] = either_world.audit("person.admitted")
    assert event["after"] == ["agent"]
    assert event["provider"] == key_of(either_world)


def test_who_has_no_password_is_not_told_that_it_opens_their_account(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    changed(either_world, northwinds, admits_role_id=role_of(either_world))
    northwinds.account = Account("nadia", NEW)
    by_company(visitor, email=NEW)
    page = visitor.follow(visitor.get("/account/security"))
    assert "None yet. Add one." in page.text
    assert "your password alone" not in page.text
    with_password = either_world.browser().enter("/account/security", AMARA)
    assert "None yet: your password alone opens your account." in with_password.text


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
        "UPDATE domains SET outcome = 'unanswered' WHERE name = 'northwind.example'",
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
