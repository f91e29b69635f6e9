"""A sign-up waits for whoever changes the company, and is judged by what they have made of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from idp import new_accounts
from idp.audit import NOWHERE
from idp.login import new_password, sign_up
from idp.login.sign_up import LinkOver
from idp.new_accounts import ElsewhereNow
from tests.concurrency.turns import northwinds_turn, until_waiting
from tests.mailed import NEW
from tests.signing_up import (
    NADIA,
    admit,
    is_somebody,
    link_for,
    memberships_of,
    requests_of,
)
from tests.storage.crew import threads_at_once
from tests.world import World

CHANGES = {
    "closed": """UPDATE tenants SET policy = '{"sign_up"\\: "closed"}' WHERE slug = 'northwind'""",
    "suspended": "UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'",
    "the role administers": (
        "INSERT INTO role_permissions (role_id, tenant_id, product_key, permission_key)"
        " SELECT r.id, r.tenant_id, 'console', 'people.read' FROM roles r"
        " JOIN tenants t ON t.id = r.tenant_id WHERE t.slug = 'northwind' AND r.key = 'agent'"
    ),
    "the domain is failing": "UPDATE domains SET failing_since = 1",
}


class Using:
    """A form that is sent, with all that was worked out before."""

    def __init__(self, world: World, email: str) -> None:
        held = self.held = world.held
        self.token = link_for(world, email).partition("token=")[2]
        found = sign_up.look(held.database, self.token, world.clock())
        self.owner = new_accounts.owner_of(found, "Nadia", "")
        given = (held.database, held.hasher, held.settings, self.owner, (), NEW)
        self.prepared = new_password.prepare(*given)
        self.now = world.clock()

    def __call__(self) -> bool:
        account = (self.token, self.owner, self.prepared, "", self.now, NOWHERE)
        try:
            new_accounts.open_account(self.held.database, self.held.secret_keys, *account)
        except (LinkOver, ElsewhereNow):
            return False
        return True


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_committed_while_a_sign_up_waits_its_turn_counts(
    postgres_world: World, change: str
) -> None:
    world = postgres_world
    admit(world)
    use = Using(world, NADIA)
    with ThreadPoolExecutor(1) as pool, northwinds_turn(world) as changing:
        using = pool.submit(use)
        until_waiting(world)
        changing.execute(sa.text(CHANGES[change]))
        changing.commit()
        is_made = using.result(20)
    assert memberships_of(world, NADIA) == []
    assert is_made is is_somebody(world, NADIA)
    if change in ("closed", "suspended"):
        assert not is_made
        assert world.run("SELECT count(*) FROM sign_up_links") == [(1,)], "as good as before"
    else:
        assert requests_of(world, NADIA) == ["waiting"]


def test_many_people_of_one_domain_come_in_at_once(either_world: World) -> None:
    world = either_world
    admit(world)
    emails = [f"nadia-{number}@northwind.example" for number in range(10)]
    uses = [Using(world, email) for email in emails]
    assert threads_at_once(lambda number: uses[number](), len(uses)) == [True] * len(uses)
    for email in emails:
        assert memberships_of(world, email) == [("Northwind Lending", "staff", "active", "agent")]
