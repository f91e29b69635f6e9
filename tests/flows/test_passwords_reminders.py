"""Letters before a password is too old (product.md N11): who gets one, about what, and who does
not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from idp.directory import catalog_version
from idp.login import password_reminders
from idp.worker import remind_of_passwords
from tests.mailed import state_policy
from tests.security.browsing import watched_statements
from tests.security.choosing import choose, user_id
from tests.world import AMARA, BEN, DANA, HANA, START, VICTOR, World

DAY = 86400.0


def remind(world: World, days: float) -> dict[str, dict[str, Any]]:
    """The letters that are written so many days after the passwords were, by whom they are for."""
    world.clock.now = START + days * DAY
    world.run("DELETE FROM outbox")
    remind_of_passwords(world.held, world.clock())
    rows = world.run("SELECT payload FROM outbox WHERE kind = 'mail'")
    letters = [orjson.loads(payload) for (payload,) in rows]
    return {each["to"]: each for each in letters if each["template"] == "password_reminder"}


def age(world: World, product: str, days: int | None) -> None:
    change = "UPDATE products SET password_max_age_days = :d, password_max_age_since = 0"
    world.run(f"{change} WHERE key = :k", d=days, k=product)
    with world.held.database.transaction() as db:
        catalog_version.touch(db)
    world.clock.move(2)


def test_n11_it_begins_with_the_fourteenth_day(either_world: World) -> None:
    assert remind(either_world, 75.99) == {}
    assert remind(either_world, 76)[AMARA]["days"] == 14


@pytest.mark.parametrize(("days", "expected"), [(88.5, 2), (89.7, 1), (89.99, 1)])
def test_n11_it_says_how_many_days_are_left(world: World, days: float, expected: int) -> None:
    assert remind(world, days)[AMARA]["days"] == expected


@pytest.mark.parametrize("days", [90, 90.5, 400])
def test_n11_who_is_asked_at_the_next_sign_in_anyway_gets_none(world: World, days: float) -> None:
    assert remind(world, days) == {}


def test_n11_who_has_to_change_it_or_can_not_sign_in_gets_none(world: World) -> None:
    demand = "UPDATE passwords SET must_change = 'temporary' WHERE user_id = :u"
    world.run(demand, u=user_id(world))
    came = remind(world, 80)
    assert DANA in came
    assert not {AMARA, VICTOR} & set(came)


def test_n11_it_names_what_will_ask_first_and_all_that_will_then(world: World) -> None:
    age(world, "connections", 90)
    assert sorted(remind(world, 80)[DANA]["products"]) == ["Connections", "LMS"]
    age(world, "payments", 60)
    world.run("DELETE FROM password_reminders")
    came = remind(world, 47)
    assert came[DANA]["products"] == ["Secure Payments"]
    assert BEN not in came, "who may not open it"


def test_n11_a_companys_own_rule_is_told_to_its_people_alone(either_world: World) -> None:
    world = either_world
    terms = {"password_max_age_days": 30, "password_max_age_since": START}
    state_policy(world, "northwind", **terms)
    came = remind(world, 17)
    assert came[AMARA]["days"] == 13
    assert HANA not in came


def test_n11_another_password_is_told_of_anew(either_world: World) -> None:
    world = either_world
    assert AMARA in remind(world, 89.5)
    choose(world)
    assert AMARA not in remind(world, 90)
    assert remind(world, 89.5 + 77)[AMARA]["days"] == 13


def test_n11_where_nothing_asks_for_an_age_nothing_is_read(world: World) -> None:
    age(world, "lms", None)
    with watched_statements() as statements:
        assert remind(world, 80) == {}
    assert not any("FROM passwords" in each for each in statements)


def test_n11_of_young_passwords_no_person_is_looked_up(world: World) -> None:
    with watched_statements() as statements:
        assert remind(world, 10) == {}
    assert any("FROM passwords" in each for each in statements)
    assert not any("FROM users" in each for each in statements)


def test_n11_the_walk_goes_on_where_it_stopped_and_begins_again(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    whole = set(remind(world, 80))
    world.run("DELETE FROM password_reminders")
    monkeypatch.setattr(password_reminders, "BATCH", 3)
    monkeypatch.setattr(password_reminders, "_NEXT", password_reminders._NEXT.limit(3))
    rounds = [set(remind(world, 80)) for _ in range(10)]
    assert max(map(len, rounds)) <= 3
    assert set.union(*rounds) == whole
    world.run("DELETE FROM password_reminders")
    assert set.union(*(set(remind(world, 80)) for _ in range(10))) == whole
