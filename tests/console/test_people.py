"""The list of a company's people: who is in it, and how they are found."""

from __future__ import annotations

from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.directory import people, person_words
from idp.directory.acting import Forbidden
from idp.directory.people import Wanted
from tests.console.people_of import administration
from tests.world import AMARA, World

NORTHWIND = ["Amara Okafor", "Ben Castillo", "Dana Whitfield", "Priya Raman", "Tomas Vega"]


def found(world: World, slug: str = "northwind", **wanted: str) -> list[str]:
    with administration(world, slug) as admin:
        page = people.people(admin, world.held.secret_keys, Wanted(**wanted))
    return [person.name for person in page.people]


def test_everybody_is_listed_by_name_and_nobody_of_another_company(either_world: World) -> None:
    assert found(either_world) == [*NORTHWIND, "Victor Lang"]
    assert found(either_world, "harbor") == ["Hana Suzuki", "Ingrid Solberg", "Priya Raman"]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("priya", ["Priya Raman"]),
        ("RAM", ["Priya Raman"]),
        ("ram pri", ["Priya Raman"]),
        ("priya@north", ["Priya Raman"]),
        ("customer.example", ["Tomas Vega"]),
        ("tomás", ["Tomas Vega"]),
        ("priya castillo", []),
        ("riya", []),
        ("%", []),
        ("_riya", []),
        ("p%a", []),
        ("\\", []),
        ("' OR 1=1 --", []),
        ("%" * 10_000, []),
        ("a " * 400, []),
        ("   ", [*NORTHWIND, "Victor Lang"]),
    ],
)
def test_people_are_found_by_how_their_words_begin_and_by_nothing_else(
    either_world: World, search: str, names: list[str]
) -> None:
    assert found(either_world, search=search) == names


def test_the_list_is_narrowed_by_state_kind_and_role(either_world: World) -> None:
    either_world.run(
        "UPDATE memberships SET status = 'disabled' WHERE user_id ="
        " (SELECT id FROM users WHERE email_canonical = 'ben@northwind.example')"
    )
    assert found(either_world, status="disabled") == ["Ben Castillo"]
    assert "Ben Castillo" not in found(either_world, status="active")
    assert found(either_world, kind="customer") == ["Tomas Vega"]
    assert found(either_world, role="account_admin") == ["Amara Okafor"]
    assert found(either_world, role="agent", status="active", search="pri") == ["Priya Raman"]
    assert found(either_world, role="no-such-role") == found(either_world, kind="x") == []


def test_a_membership_whose_end_has_come_counts_as_ended(either_world: World) -> None:
    either_world.run(
        "UPDATE memberships SET ends_at = :t WHERE kind = 'customer'", t=either_world.clock.now
    )
    assert found(either_world, status="ended") == ["Tomas Vega"]
    assert "Tomas Vega" not in found(either_world, status="active")


@pytest.mark.parametrize("few", [people.FEW, 0])
def test_gathering_and_walking_find_the_same(
    either_world: World, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(people, "FEW", few)
    assert found(either_world, search="northwind.example", role="agent") == [
        "Ben Castillo",
        "Dana Whitfield",
        "Priya Raman",
        "Victor Lang",
    ]


def test_page_follows_page_with_nobody_missing_or_twice(either_world: World) -> None:
    names, cursor = [], ""
    with administration(either_world) as admin:
        while True:
            page = people.people(admin, either_world.held.secret_keys, Wanted(), cursor, size=2)
            names += [person.name for person in page.people]
            assert len(page.people) <= 2
            if page.next is None:
                break
            cursor = page.next
    assert names == [*NORTHWIND, "Victor Lang"]


def test_who_may_not_see_people_sees_none(either_world: World) -> None:
    with (
        administration(either_world, may=frozenset({"people.manage"})) as admin,
        pytest.raises(Forbidden),
    ):
        people.people(admin, either_world.held.secret_keys, Wanted())


def test_a_new_name_is_found_at_once_and_the_old_one_no_more(either_world: World) -> None:
    either_world.apply(users=[{"email": AMARA, "name": "Zoë Okafor-Lee"}])
    assert found(either_world, search="zoe") == ["Zoë Okafor-Lee"]
    assert found(either_world, search="lee") == ["Zoë Okafor-Lee"]
    assert found(either_world)[-1] == "Zoë Okafor-Lee"
    assert found(either_world, search="amara okafor") == [
        "Zoë Okafor-Lee"
    ]  # the address is as it was
    assert found(either_world, search="amara", kind="customer") == []


def test_the_words_of_a_person_are_bounded() -> None:
    words = person_words.words_of(" ".join(f"w{n}" for n in range(200)), "a@b.example")
    assert len(words) == person_words.MAX_WORDS
    assert person_words.words_of("", "jose.luis@x.example")[:2] == [
        "jose.luis@x.example",
        "x.example",
    ]
    assert person_words.sort_name("  ÁNGEL  O ", "a@b.example") == "angel o"
    assert person_words.sort_name("", "a@b.example") == "a@b.example"


def test_words_that_no_membership_has_any_more_are_gone(either_world: World) -> None:
    either_world.run("DELETE FROM memberships WHERE kind = 'customer'")
    assert either_world.run("SELECT 1 FROM person_words WHERE word = 'tomas'") == []


def test_the_page_keeps_what_was_looked_for_and_leads_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.directory.people.people.__defaults__", ("", 2))
    browser = world.browser()
    first = browser.enter("/manage/northwind/people?search=northwind&kind=staff")
    assert "Amara Okafor" in first.text
    assert "Ben Castillo" in first.text
    assert 'value="northwind"' in first.text
    onward = unescape(first.text.split('rel="next"')[0].rpartition('href="')[2].rstrip('" '))
    assert parse_qs(urlsplit(onward).query)["kind"] == ["staff"]
    second = browser.get("/manage/northwind/people" + onward)
    assert "Dana Whitfield" in second.text
    assert "Amara Okafor</" not in second.text.split("<main")[1]
