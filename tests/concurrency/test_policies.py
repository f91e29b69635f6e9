"""Of many who save a company's policy over the same one, one does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.concurrency.turns import northwinds_turn, until_waiting
from tests.console.calling import person
from tests.signing_up import verify_domain
from tests.world import World

POLICIES: dict[str, list[dict[str, Any]]] = {
    "password-policy": [{"password_min_length": 20}, {"password_min_length": 30}],
    "policy": [{"session_idle_minutes": 15}, {"session_idle_minutes": 16}],
    "sign-up-policy": [{"sign_up": "closed"}, {"sign_up": "admitted", "role": "agent"}],
}


@pytest.mark.parametrize("policy", POLICIES)
def test_of_two_who_have_seen_the_same_policy_one_changes_it(
    postgres_world: World, policy: str
) -> None:
    """Both have been let past If-Match when their turn comes."""
    world, path = postgres_world, f"/tenants/northwind/{policy}"
    verify_domain(world)
    caller = person(world)
    seen = caller.get(path).headers["ETag"]
    with ThreadPoolExecutor(2) as pool, northwinds_turn(world) as turn:
        sent = [pool.submit(caller, "PUT", path, each, If_Match=seen) for each in POLICIES[policy]]
        until_waiting(world, 2)
        turn.commit()
        statuses = sorted(each.result(20).status_code for each in sent)
    assert statuses[0] == 200
    assert statuses[1] in (409, 412)
    assert len(world.audit("policy.changed")) == 1
