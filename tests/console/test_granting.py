"""Who may hand on what: rank, administration, one's own roles, the last account admin."""

from __future__ import annotations

from dataclasses import replace
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from idp.directory import account_admins, granting
from idp.directory.acting import EVERYTHING, Actor, Administration, Forbidden, Mistake, Rights
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.roles import ACCOUNT_ADMIN, TOP_RANK, Role, RolePermission
from tests.console.administering import administering, with_roles
from tests.world import AMARA, BEN, DANA, World

LOANS = ("lms", "loans.read")
PEOPLE = ("console", "people.manage")
CLERK = Rights(10, False, frozenset({PEOPLE}))


def role(rank: int = 10, *nodes: tuple[str, str], has_all: bool = False) -> Role:
    rows = [RolePermission(product_key=key, permission_key=node) for key, node in nodes]
    return Role(key="a-role", rank=rank, all_permissions=has_all, permissions=rows)


@pytest.mark.parametrize(
    ("rights", "given", "is_own", "may"),
    [
        (CLERK, role(10), False, True),
        (CLERK, role(11), False, False),
        (CLERK, role(10), True, False),
        (EVERYTHING, role(10), True, False),
        (CLERK, role(10, LOANS), False, True),
        (CLERK, role(10, PEOPLE), False, True),
        (CLERK, role(10, ("console", "roles.manage")), False, False),
        (CLERK, role(10, has_all=True), False, False),
        (EVERYTHING, role(TOP_RANK, has_all=True), False, True),
        (EVERYTHING._replace(within=frozenset({"console"})), role(has_all=True), False, False),
        (EVERYTHING._replace(within=frozenset({"lms"})), role(10, PEOPLE), False, False),
    ],
)
def test_a_role_is_given_up_to_ones_own_rank_and_administration(
    rights: Rights, given: Role, is_own: bool, may: bool
) -> None:
    assert granting.may_grant(rights, given, is_own=is_own) is may


def test_a_role_is_changed_up_to_ones_own_rank_and_the_account_admin_never() -> None:
    assert granting.may_change(CLERK, role(10))
    assert not granting.may_change(CLERK, role(11))
    assert not granting.may_change(EVERYTHING, role(TOP_RANK, has_all=True))


def test_nobody_acts_on_somebody_above_them() -> None:
    assert granting.may_act_on(CLERK, CLERK)
    assert not granting.may_act_on(CLERK, CLERK._replace(rank=11))
    assert not granting.may_act_on(CLERK, CLERK._replace(has_all=True))
    assert granting.may_act_on(EVERYTHING, EVERYTHING)


def test_a_guest_holds_nothing_outside_of_what_was_approved(world: World) -> None:
    guest = EVERYTHING._replace(within=frozenset({"console"}))
    assert guest.holds(frozenset({PEOPLE}))
    assert not guest.holds(frozenset({PEOPLE, LOANS}))
    world.run("UPDATE memberships SET only_products = 'console lms'")
    with administering(world, AMARA) as admin:
        assert granting.in_turn(admin, "people.manage").within == frozenset({"console", "lms"})


def test_rights_are_read_again_when_it_is_ones_turn(either_world: World) -> None:
    with_roles(
        either_world, DANA, {"clerk": {"permissions": {"console": ["people.manage"]}, "rank": 30}}
    )
    with administering(either_world, DANA) as admin:
        assert granting.in_turn(admin, "people.manage").rank == 30
    for lost in (
        "UPDATE roles SET rank = 1 WHERE key = 'clerk'",
        "DELETE FROM role_permissions WHERE permission_key = 'people.manage'",
    ):
        with administering(either_world, DANA) as admin:
            was = admin.actor
        either_world.run(lost)
        with administering(either_world, AMARA) as admin:
            stale = _as(admin, was)
            if "rank" in lost:
                assert granting.in_turn(stale, "people.manage").rank == 1
            else:
                with pytest.raises(Forbidden):
                    granting.in_turn(stale, "people.manage")


@pytest.mark.parametrize(
    "ended",
    [
        "UPDATE users SET status = 'disabled'",
        "UPDATE memberships SET status = 'disabled'",
        "UPDATE memberships SET ends_at = 1",
    ],
)
def test_whoever_is_out_by_then_changes_nothing(world: World, ended: str) -> None:
    with administering(world, AMARA) as admin:
        was = admin
    world.run(ended)
    with administering(world, AMARA) as now, pytest.raises(Forbidden):
        granting.in_turn(_as(now, was.actor), "people.manage")


def test_roles_that_may_not_be_given_are_refused(world: World) -> None:
    with_roles(world, DANA, {"clerk": {"permissions": {"console": ["people.manage"]}}})
    with administering(world, DANA) as admin:
        roles = {each.key: each for each in admin.rows.scalars(sa.select(Role))}
        rights = granting.in_turn(admin, "people.manage")
        granting.check_may_grant(admin, rights, [roles["agent"]], None)
        granting.check_may_grant(admin, rights, [roles["agent"]], "somebody else")
        with pytest.raises(Forbidden):
            granting.check_may_grant(admin, rights, [roles["agent"]], admin.actor.user_id)
        with pytest.raises(Forbidden):
            granting.check_may_grant(
                admin, rights, [roles["agent"], roles[ACCOUNT_ADMIN]], "somebody else"
            )


def test_a_company_keeps_an_account_admin(world: World) -> None:
    with administering(world, AMARA) as admin:
        own = _account_admins(admin)
        assert len(own) == 1
        with pytest.raises(Mistake, match="roles"):
            account_admins.check_one_remains(admin, own[0])
        account_admins.check_one_remains(admin, "somebody who is none")


def test_two_account_admins_can_not_take_each_other_out_at_once(either_world: World) -> None:
    with_roles(either_world, BEN, {ACCOUNT_ADMIN: {}})
    started, outcomes = Barrier(2), []

    def take_out(actor: str) -> None:
        started.wait()
        try:
            with administering(either_world, actor) as admin:
                _take_the_others_role(admin)
            outcomes.append("done")
        except (Forbidden, Mistake) as refusal:
            outcomes.append(type(refusal).__name__)

    pair = [Thread(target=take_out, args=(each,)) for each in (AMARA, BEN)]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    assert sorted(outcomes) in (["Forbidden", "done"], ["Mistake", "done"])
    ((left,),) = either_world.run(
        "SELECT count(*) FROM membership_roles m JOIN roles r ON r.id = m.role_id"
        " JOIN tenants t ON t.id = r.tenant_id WHERE r.all_permissions AND t.slug = 'northwind'"
    )
    assert left == 1


def _take_the_others_role(admin: Administration) -> None:
    granting.in_turn(admin, "people.manage")
    membership = admin.rows.scalars(
        sa.select(Membership).where(
            sa.exists().where(
                MembershipRole.membership_id == Membership.id,
                MembershipRole.role_id == Role.id,
                Role.all_permissions,
            ),
            Membership.user_id != admin.actor.user_id,
        )
    ).one()
    account_admins.check_one_remains(admin, membership.id)
    membership.roles.clear()


def _account_admins(admin: Administration) -> list[str]:
    return list(
        admin.rows.scalars(
            sa.select(MembershipRole.membership_id)
            .join(Role, Role.id == MembershipRole.role_id)
            .where(Role.all_permissions)
        )
    )


def _as(admin: Administration, actor: Actor) -> Administration:
    """The transaction of one moment with the actor of an earlier one."""
    return replace(admin, actor=actor)
