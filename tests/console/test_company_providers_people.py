"""Whom a company's identity provider leaves out, and what newcomers get by it."""

from __future__ import annotations

import pytest

from idp.directory import account_admins, company_providers, person, role_editing
from idp.directory.acting import (
    Mistake,
)
from idp.directory.identity_providers import ACTIVE, DISABLED
from idp.directory.roles import ACCOUNT_ADMIN, Role
from idp.grants import membership
from tests.console.administering import administering, proven, with_roles
from tests.console.company_providers_of import (
    add,
    change,
    columns,
    of_domain,
    only_way,
    route,
    turn,
    verified_domain,
)
from tests.console.people_of import ask, give_role, member_id, user_id
from tests.world import AMARA, BEN, DANA, HANA, PRIYA, VICTOR, World


def test_who_is_left_out_is_one_of_the_company_who_can_sign_in(either_world: World) -> None:
    someone = [member_id(either_world, AMARA)]
    guest, gone = member_id(either_world, DANA), member_id(either_world, PRIYA)
    either_world.run("UPDATE memberships SET source = 'cross_tenant' WHERE id = :m", m=guest)
    either_world.run("UPDATE memberships SET status = 'disabled' WHERE id = :m", m=gone)
    refused: list[list[str]] = [
        [guest],
        [gone],
        [member_id(either_world, VICTOR)],
        [member_id(either_world, HANA, "harbor")],
        [member_id(either_world, PRIYA, "harbor")],
        ["nobody"],
        [user_id(either_world, AMARA)],
        [f"{number}" for number in range(6)],
    ]
    for more in refused:
        with pytest.raises(Mistake) as found:
            add(either_world, left_out=[*someone, *more])
        assert list(found.value.errors) == ["left_out"]
    provider_id = add(either_world, left_out=someone)
    assert columns(either_world, provider_id)["left_out"] == user_id(either_world, AMARA)


def test_the_only_way_leaves_an_account_admin_out(either_world: World) -> None:
    for emails in ((), (BEN,), (BEN, DANA)):
        with pytest.raises(Mistake) as refused:
            add(either_world, **only_way(either_world, *emails))
        assert list(refused.value.errors) == ["left_out"]
    provider_id = add(either_world, **only_way(either_world, AMARA, BEN))
    route(either_world, verified_domain(either_world), provider_id)
    found = of_domain(either_world)
    assert found is not None
    assert found.is_only_way
    assert found.left_out == {user_id(either_world, each) for each in (AMARA, BEN)}


def test_the_last_account_admin_who_is_left_out_stays_one(either_world: World) -> None:
    give_role(either_world, DANA, ACCOUNT_ADMIN)
    provider_id = add(either_world, **only_way(either_world, DANA))
    dana = member_id(either_world, DANA)

    def demote() -> None:
        with proven(either_world) as admin:
            person.change_roles(admin, dana, set(), {ACCOUNT_ADMIN})

    def disable() -> None:
        with proven(either_world) as admin:
            membership.disable(admin, dana)

    for act in (demote, disable):
        with pytest.raises(Mistake) as refused:
            act()
        assert "does not need" in refused.value.errors["roles"]
    turn(either_world, provider_id, DISABLED)
    disable()
    with pytest.raises(Mistake) as late:
        turn(either_world, provider_id, ACTIVE)
    assert list(late.value.errors) == ["status"]
    change(either_world, provider_id, **only_way(either_world, AMARA))
    turn(either_world, provider_id, ACTIVE)


def test_people_who_left_are_not_shown_as_left_out(either_world: World) -> None:
    provider_id = add(either_world, left_out=[member_id(either_world, BEN)])
    with proven(either_world) as admin:
        shown = company_providers.get(admin, provider_id)
        assert [each.email for each in shown.left_out] == [BEN]
        offered = company_providers.to_leave_out(admin, shown)
        assert {each.email for each in offered} == {AMARA, BEN}
        membership.disable(admin, member_id(either_world, BEN))
        assert company_providers.get(admin, provider_id).left_out == []


def role_id(world: World, key: str, slug: str = "northwind") -> str:
    ((found,),) = ask(
        world,
        "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id"
        " WHERE t.slug = :s AND r.key = :k",
        s=slug,
        k=key,
    )
    return str(found)


def test_newcomers_get_no_role_that_administers(either_world: World) -> None:
    with_roles(either_world, BEN, {"clerk": {"permissions": {"console": ["people.read"]}}})
    for refused in (
        role_id(either_world, ACCOUNT_ADMIN),
        role_id(either_world, "clerk"),
        role_id(either_world, "analyst", "harbor"),
        "nothing",
    ):
        with pytest.raises(Mistake) as found:
            add(either_world, admits_role_id=refused)
        assert list(found.value.errors) == ["admits_role_id"]
    agent = role_id(either_world, "agent")
    provider_id = add(either_world, admits_role_id=agent)
    assert columns(either_world, provider_id)["admits_role_id"] == agent
    with proven(either_world) as admin:
        offered = {each.key for each in company_providers.to_admit_with(admin)}
        assert "agent" in offered
        assert not {"clerk", ACCOUNT_ADMIN} & offered


def test_a_role_that_is_gone_or_administers_by_now_admits_nobody(either_world: World) -> None:
    with_roles(either_world, BEN, {"clerk": {"permissions": {"lms": ["loans.read"]}, "rank": 5}})
    clerk = role_id(either_world, "clerk")
    provider_id = add(either_world, admits_role_id=clerk)
    with proven(either_world) as admin:
        shown = company_providers.get(admin, provider_id)
        assert shown.admits is not None
        digest = role_editing.digest(admin.get(Role, clerk))
        role_editing.select(admin, clerk, digest, ["console/people.read"])
        admin.rows.flush()
        assert company_providers.get(admin, provider_id).admits is None
        role_editing.delete(admin, clerk, role_editing.digest(admin.get(Role, clerk)))
    with proven(either_world) as admin:
        made = role_editing.make(admin, {"name": "Clerk", "description": "", "rank": "5"})
        assert made.key == "clerk"
        assert company_providers.get(admin, provider_id).admits is None


def test_the_rule_of_account_admins_is_still_the_first(either_world: World) -> None:
    add(either_world, **only_way(either_world, AMARA))
    with administering(either_world) as admin, pytest.raises(Mistake) as refused:
        account_admins.check_one_remains(admin, member_id(either_world, AMARA))
    assert "at least one account admin" in refused.value.errors["roles"]
