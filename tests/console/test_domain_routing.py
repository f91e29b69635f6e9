"""Whose provider signs a domain's addresses in: while the domain is verified, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread

import pytest

from idp.directory import company_providers, domain_looks, domains
from idp.directory.acting import Changed, Mistake
from idp.directory.domain_looks import LOST_AFTER, RECHECK_AFTER
from idp.directory.identity_providers import DISABLED
from tests.console.administering import proven
from tests.console.company_providers_of import SOUND, add, of_domain, route, turn, verified_domain
from tests.console.name_server import Zone
from tests.console.people_of import ask
from tests.console.proving_domains import NAME, asking, look, text_of, zone
from tests.console.proving_domains import add as add_domain
from tests.world import World

__all__ = ["asking", "zone"]


def recheck(world: World, after: float) -> None:
    world.clock.move(after)
    domain_looks.recheck(world.held.database, world.held.settings, world.clock())


def routed(world: World) -> list[str]:
    return [each for (each,) in ask(world, "SELECT provider_id FROM routed_domains")]


def test_a_domain_that_is_not_verified_routes_nobody(asking: World) -> None:
    provider_id, domain_id = add(asking), add_domain(asking)
    with pytest.raises(Mistake) as refused:
        route(asking, domain_id, provider_id)
    assert list(refused.value.errors) == ["domain"]
    assert routed(asking) == []


def test_it_moves_from_one_provider_to_another_and_to_none(either_world: World) -> None:
    first, second = add(either_world), add(either_world, name="Second")
    domain_id = verified_domain(either_world)
    for seen, wanted in (("", first), (first, second), (second, second), (second, "")):
        route(either_world, domain_id, wanted, seen)
        found = of_domain(either_world)
        assert (found.key if found else "") == wanted
    moves = [(each["before"], each["after"]) for each in either_world.audit("domain.routed")]
    assert moves == [(None, first), (first, second), (second, None)]


def test_who_routes_after_somebody_else_is_told(either_world: World) -> None:
    first, second = add(either_world), add(either_world, name="Second")
    domain_id = verified_domain(either_world)
    route(either_world, domain_id, first)
    for seen in ("", second):
        with pytest.raises(Changed):
            route(either_world, domain_id, second, seen)
    assert routed(either_world) == [first]


def test_a_provider_that_goes_takes_its_routing_along(either_world: World) -> None:
    provider_id = add(either_world)
    domain_id = verified_domain(either_world)
    route(either_world, domain_id, provider_id)
    either_world.run("DELETE FROM company_providers")
    assert routed(either_world) == []
    another = add(either_world)
    turn(either_world, another, DISABLED)
    route(either_world, domain_id, another)
    assert of_domain(either_world) is None


def test_a_domain_that_routes_is_not_removed(either_world: World) -> None:
    """Who may remove domains may not, by that alone, let passwords do again."""
    provider_id, domain_id = add(either_world), verified_domain(either_world)
    route(either_world, domain_id, provider_id)
    with proven(either_world) as admin, pytest.raises(Mistake) as refused:
        domains.remove(admin, domain_id)
    assert list(refused.value.errors) == ["domain"]
    route(either_world, domain_id, "", provider_id)
    with proven(either_world) as admin:
        domains.remove(admin, domain_id)
    assert ask(either_world, "SELECT * FROM domains") == []


def test_a_domain_that_is_lost_routes_no_more_and_not_by_itself_again(
    asking: World, zone: Zone
) -> None:
    provider_id, domain_id = add(asking), add_domain(asking)
    record = [text_of(asking, domain_id)]
    zone.records[f"_latchkey.{NAME}"] = record
    assert look(asking, domain_id) == "found"
    route(asking, domain_id, provider_id)
    assert of_domain(asking, NAME) is not None
    del zone.records[f"_latchkey.{NAME}"]
    recheck(asking, RECHECK_AFTER)
    assert of_domain(asking, NAME) is not None
    recheck(asking, LOST_AFTER)
    assert of_domain(asking, NAME) is None
    (lost,) = asking.audit("domain.lost")
    assert lost["has_routed"] is True
    zone.records[f"_latchkey.{NAME}"] = record
    assert look(asking, domain_id) == "found"
    assert of_domain(asking, NAME) is None
    assert routed(asking) == []


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What became of each."""
    started, outcomes = Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        started.wait()
        try:
            act()
            outcomes.append("done")
        except (Mistake, Changed) as refusal:
            outcomes.append(type(refusal).__name__)

    threads = [Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_of_six_at_once_five_are_added(either_world: World) -> None:
    outcomes = at_once(*[lambda: add(either_world)] * 6)
    assert outcomes == ["Mistake", *["done"] * 5]
    assert ask(either_world, "SELECT count(*) FROM company_providers") == [(5,)]


def test_of_two_who_route_a_domain_at_once_one_is_told(either_world: World) -> None:
    first, second = add(either_world), add(either_world, name="Second")
    domain_id = verified_domain(either_world)
    outcomes = at_once(
        *[lambda to=to: route(either_world, domain_id, to) for to in (first, second)]
    )
    assert outcomes == ["Changed", "done"]
    assert len(routed(either_world)) == 1


def test_a_domain_that_is_lost_while_it_is_routed_routes_nobody(asking: World, zone: Zone) -> None:
    """Whichever is first."""
    provider_id, domain_id = add(asking), add_domain(asking)
    zone.records[f"_latchkey.{NAME}"] = [text_of(asking, domain_id)]
    assert look(asking, domain_id) == "found"
    del zone.records[f"_latchkey.{NAME}"]
    recheck(asking, RECHECK_AFTER)
    asking.clock.move(LOST_AFTER)
    at_once(
        lambda: recheck(asking, 0),
        lambda: route(asking, domain_id, provider_id),
    )
    assert ask(asking, "SELECT verified_at FROM domains") == [(None,)]
    assert routed(asking) == []


def test_a_seen_routing_is_of_the_company_alone(either_world: World) -> None:
    provider_id = add(either_world)
    domain_id = verified_domain(either_world)
    with proven(either_world) as admin:
        assert [each.provider_id for each in company_providers.routable(admin)] == [None]
    route(either_world, domain_id, provider_id)
    with proven(either_world) as admin:
        (found,) = company_providers.routable(admin)
        assert (found.domain.id, found.provider_id) == (domain_id, provider_id)
        assert company_providers.get(admin, provider_id).provider.issuer == SOUND.issuer
