"""S62: an invitation is worth what its inviter may do when it is accepted, and nobody lets
themselves in by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.audit import NOWHERE
from idp.directory import invitations, person, role_editing
from idp.directory.acting import Administration, Forbidden, Mistake
from idp.directory.roles import Role
from idp.login import invitation
from idp.login.invitation import NotOpen
from idp.operators import staff, tenants
from idp.operators.tenants import Invited
from tests.console.administering import administering, with_roles
from tests.console.calling import MACHINES, tenants_machine
from tests.console.calling import person as caller
from tests.console.inviting import NADIA, accept, members, newest_token
from tests.console.operations import operation
from tests.console.people_of import add_clerk, letters, member_id, roles, user_id
from tests.security.test_sec_79_privilege_ceiling import role_id
from tests.security.test_sec_79_tokens import acting_as, visitor
from tests.world import AMARA, BEN, DANA, HANA, OLU, World

AUDITOR = {"auditor": {"rank": 10, "permissions": {"console": ["audit.read"]}}}
OF_BEN = f"(SELECT id FROM users WHERE email = '{BEN}')"
TO_ADMINISTRATION = (
    "INSERT INTO role_permissions (role_id, tenant_id, product_key, permission_key)"
    " SELECT id, tenant_id, 'console', 'roles.manage' FROM roles WHERE key = 'analyst'"
)
SENTENCE = "Ask whoever invited you for a new one."


def invite(admin: Administration, world: World, email: str = NADIA, *given: str) -> str:
    keys = world.held.secret_keys
    return invitations.invite(admin, keys, email, "staff", given or ("agent",), "en")


def by_ben(world: World) -> str:
    """A clerk's invitation: its token."""
    add_clerk(world, BEN)
    with administering(world, BEN) as admin:
        invite(admin, world, NADIA, "analyst")
    return newest_token(world)


def is_over(world: World, token: str) -> None:
    page = world.browser().get(f"/invitation?token={token}")
    assert page.status_code == 404
    assert SENTENCE in page.text
    with pytest.raises(NotOpen):
        accept(world, token)
    assert members(world) == []


@pytest.mark.parametrize(
    "lost",
    [
        f"UPDATE memberships SET status = 'disabled' WHERE user_id = {OF_BEN}",
        f"UPDATE memberships SET status = 'ended' WHERE user_id = {OF_BEN}",
        f"UPDATE users SET status = 'disabled' WHERE id = {OF_BEN}",
        "DELETE FROM role_permissions WHERE permission_key = 'people.manage'",
        "DELETE FROM membership_roles WHERE role_id IN (SELECT id FROM roles WHERE key = 'clerk')",
        "UPDATE roles SET rank = 1 WHERE key = 'clerk'",
        "UPDATE roles SET rank = 21 WHERE key = 'analyst'",
        TO_ADMINISTRATION,
    ],
)
def test_sec_62_an_invitation_ends_with_the_right_to_give_it(
    either_world: World, lost: str
) -> None:
    token = by_ben(either_world)
    assert either_world.browser().get(f"/invitation?token={token}").status_code == 200
    if "rank = 1 " in lost:
        either_world.run("UPDATE roles SET rank = 1 WHERE key = 'agent'")  # Ben's other one
    either_world.run(lost)
    is_over(either_world, token)


def test_sec_62_somebody_who_may_sends_it_again(either_world: World) -> None:
    token = by_ben(either_world)
    either_world.run("DELETE FROM role_permissions WHERE permission_key = 'people.manage'")
    is_over(either_world, token)
    ((made,),) = either_world.run("SELECT id FROM invitations")
    either_world.clock.move(1)
    with administering(either_world, AMARA) as admin:
        invitations.send_again(admin, either_world.held.secret_keys, made)
    accept(either_world, newest_token(either_world))
    assert roles(either_world, NADIA) == {"analyst"}


@pytest.mark.parametrize("is_alone", [True, False])
def test_sec_62_a_programs_invitation_ends_with_the_program(
    either_world: World, is_alone: bool
) -> None:
    send = tenants_machine(either_world) if is_alone else caller(either_world, AMARA)
    body = {"email": NADIA, "kind": "staff", "roles": ["agent"]}
    assert send.post("/tenants/northwind/invitations", body).status_code == 201
    token = newest_token(either_world)
    assert either_world.browser().get(f"/invitation?token={token}").status_code == 200
    client_id = MACHINES["northwind"] if is_alone else "console-app"
    either_world.run("UPDATE clients SET status = 'disabled' WHERE client_id = :c", c=client_id)
    is_over(either_world, token)


def with_visitor(world: World, act: Callable[[Administration], Any]) -> None:
    with acting_as(world, visitor(world)) as admin:
        act(admin)


@pytest.mark.parametrize("given", [(), ("agent",)])
def test_sec_62_a_visitor_does_not_invite_themselves(
    either_world: World, given: tuple[str, ...]
) -> None:
    keys = either_world.held.secret_keys
    with pytest.raises(Forbidden):
        with_visitor(
            either_world,
            lambda admin: invitations.invite(admin, keys, OLU.upper(), "staff", given, "en"),
        )
    assert either_world.run("SELECT id FROM invitations") == []
    with administering(either_world, AMARA) as admin:
        made = invitations.invite(admin, keys, OLU, "staff", given, "en")
    before = either_world.run("SELECT token_hash FROM invitations")
    with pytest.raises(Forbidden):
        with_visitor(either_world, lambda admin: invitations.send_again(admin, keys, made))
    assert either_world.run("SELECT token_hash FROM invitations") == before


@pytest.mark.parametrize("given", ["auditor", "account_admin"])
def test_sec_62_a_visitor_hands_on_no_administration(either_world: World, given: str) -> None:
    """Not to a second address of theirs, nor to somebody who is here already."""
    with_roles(either_world, DANA, AUDITOR)
    ben = member_id(either_world, BEN)
    before = roles(either_world, BEN)
    for act in (
        lambda admin: invite(admin, either_world, NADIA, given),
        lambda admin: person.change_roles(admin, ben, {given}, set()),
    ):
        with pytest.raises(Forbidden):
            with_visitor(either_world, act)
    assert roles(either_world, BEN) == before
    assert either_world.run("SELECT id FROM invitations") == []


def test_sec_62_a_visitor_puts_no_administration_into_a_role(either_world: World) -> None:
    agent = role_id(either_world, "agent")

    def put(admin: Administration) -> None:
        seen = role_editing.digest(admin.get(Role, agent))
        role_editing.select(admin, agent, seen, ["console/people.manage"])

    with pytest.raises(Forbidden):
        with_visitor(either_world, put)
    of_console = "SELECT role_id FROM role_permissions WHERE product_key = 'console'"
    assert either_world.run(of_console) == []


def test_sec_62_what_a_visitor_sent_counts_while_they_are_an_operator(either_world: World) -> None:
    actor = visitor(either_world)
    either_world.clock.move(1)
    with acting_as(either_world, actor) as admin:
        invite(admin, either_world)
    token = newest_token(either_world)
    either_world.clock.move(7200)
    assert either_world.browser().get(f"/invitation?token={token}").status_code == 200
    either_world.run("UPDATE users SET is_operator = false")
    is_over(either_world, token)


def test_sec_62_nobody_accepts_what_they_sent_themselves(either_world: World) -> None:
    with administering(either_world, AMARA) as admin:
        invite(admin, either_world, HANA)
    hana, token = user_id(either_world, HANA), newest_token(either_world)
    either_world.run("UPDATE invitations SET invited_by = :h, source = 'visit'", h=hana)
    either_world.run("UPDATE users SET is_operator = true WHERE id = :h", h=hana)
    with pytest.raises(NotOpen):
        invitation.accept(either_world.held.database, token, hana, either_world.clock(), NOWHERE)
    assert len(members(either_world, HANA)) == 1


def first_admin(world: World, email: str = NADIA) -> str:
    """Of a company that an operator makes: the token."""
    with operation(world) as opened:
        tenants.create(opened, "acme", "Acme", Invited(world.held.secret_keys, email, "en"))
    return newest_token(world)


def test_sec_62_an_operator_is_not_the_first_account_admin(either_world: World) -> None:
    with pytest.raises(Mistake):
        first_admin(either_world, OLU)
    first_admin(either_world)
    invited = Invited(either_world.held.secret_keys, f" {OLU.upper()}", "en")
    with pytest.raises(Mistake), operation(either_world) as opened:
        tenants.invite_account_admin(opened, tenants.get_tenant(opened, "acme"), invited)
    assert OLU not in {letter["to"] for letter in letters(either_world)}


def test_sec_62_a_second_first_account_admin_takes_the_place_of_the_other(
    either_world: World,
) -> None:
    first = first_admin(either_world)
    either_world.clock.move(1)
    invited = Invited(either_world.held.secret_keys, "second@acme.example", "en")
    with operation(either_world) as opened:
        tenants.invite_account_admin(opened, tenants.get_tenant(opened, "acme"), invited)
    second = newest_token(either_world)
    is_over(either_world, first)
    assert len(either_world.audit("invitation.revoked")) == 1
    accept(either_world, second)
    assert members(either_world, "second@acme.example") == [("staff", "active")]


@pytest.mark.parametrize("lost", ["there is one", "operator removed", "operator disabled"])
def test_sec_62_the_first_account_admin_is_the_first(either_world: World, lost: str) -> None:
    token = first_admin(either_world)
    if lost == "there is one":
        admins = [{"tenant": "acme", "roles": ["account_admin"]}]
        either_world.apply(users=[{"email": DANA, "name": "Dana", "memberships": admins}])
    elif lost == "operator removed":
        with operation(either_world) as opened:
            staff.add(opened, HANA)
        olu = user_id(either_world, OLU)
        hana = user_id(either_world, HANA)
        with operation(either_world, user_id=hana) as opened:
            staff.remove(opened, olu)
    else:
        either_world.run("UPDATE users SET status = 'disabled' WHERE is_operator")
    is_over(either_world, token)


@pytest.mark.parametrize("has_roles", [True, False])
def test_sec_62_an_invitation_of_before_its_inviter_was_written_down_gives_no_roles(
    either_world: World, has_roles: bool
) -> None:
    token = by_ben(either_world)
    kept = "role_ids" if has_roles else "'[]'"
    either_world.run(
        f"UPDATE invitations SET source = 'file', invited_by = NULL, role_ids = {kept}"
    )
    if has_roles:
        is_over(either_world, token)
    else:
        accept(either_world, token)
        assert roles(either_world, NADIA) == set()
