"""S80: what somebody from another company gets is given by who had no other part in it, now and
later."""

from __future__ import annotations

import pytest

from idp.directory import readers
from idp.directory.acting import Forbidden, Mistake
from idp.directory.person import change_roles
from idp.operators import tenants
from tests.console.access_story import Story, person
from tests.console.administering import administering
from tests.console.calling import tenants_machine
from tests.console.operations import operation
from tests.console.people_of import give_role, roles
from tests.world import BEN, HANA, World


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world)


PARTS = ["user_id", "asked_by", "submitted_by", "decided_by"]


@pytest.mark.parametrize("part", PARTS)
def test_sec_80_whoever_had_another_part_in_an_access_gives_it_no_roles(
    story: Story, part: str
) -> None:
    """Neither when it is set up nor ever after."""
    world = story.world
    story.ask().submit().approve()
    ((before,),) = world.run(f"SELECT {part} FROM access_requests")
    world.run(f"UPDATE access_requests SET {part} = :h", h=person(world, HANA))
    with pytest.raises(Forbidden):
        story.set_up()
    world.run(f"UPDATE access_requests SET {part} = :b", b=before)
    guest = str(story.set_up().row.membership_id)
    world.run(f"UPDATE access_requests SET {part} = :h", h=person(world, HANA))
    for give, take in (({"analyst"}, set[str]()), (set[str](), {"agent"})):
        with pytest.raises(Forbidden), administering(world, HANA, "harbor") as admin:
            change_roles(admin, guest, give, take)
    assert roles(world, BEN, "harbor") == {"agent"}


def test_sec_80_a_guest_is_never_made_account_admin_and_by_no_machine(story: Story) -> None:
    world = story.opened().world
    guest = str(story.row.membership_id)
    with pytest.raises(Mistake), administering(world, HANA, "harbor") as admin:
        change_roles(admin, guest, {"account_admin"}, set())
    machine = tenants_machine(world, "harbor")
    path = f"/tenants/harbor/people/{guest}/roles"
    assert machine.change("PUT", path, {"roles": ["agent", "analyst"]}).status_code == 403
    assert roles(world, BEN, "harbor") == {"agent"}
    with administering(world, HANA, "harbor") as admin:
        assert change_roles(admin, guest, {"analyst"}, set())
    assert roles(world, BEN, "harbor") == {"agent", "analyst"}


def test_sec_80_a_guest_does_not_count_as_the_account_admin_a_company_has(story: Story) -> None:
    world = story.opened().world
    give_role(world, BEN, "account_admin", "harbor")
    with operation(world) as opened:
        harbor = tenants.get_tenant(opened, "harbor").id
        found = readers.account_admins(opened.db, harbor, opened.now)
    assert [each.email for each in found] == [HANA]
