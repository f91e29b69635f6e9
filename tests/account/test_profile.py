"""One's own names, language and time zone."""

from __future__ import annotations

from typing import Any

import pytest

from idp.web.languages import language_name
from tests.console.people_of import user_id
from tests.world import AMARA, BEN, Visitor, World

SOUND = {
    "name": "Amara N. Okafor",
    "given_name": "Amara",
    "family_name": "Okafor",
    "locale": "es",
    "zoneinfo": "Africa/Lagos",
}


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser()
    browser.enter("/account")
    return browser


def save(visitor: Visitor, **changed: str) -> Any:
    return visitor.submit(visitor.get("/account"), path="/account", **{**SOUND, **changed})


def kept(world: World, email: str = AMARA) -> tuple[Any, ...]:
    columns = ", ".join(SOUND)
    (row,) = world.run(f"SELECT {columns} FROM users WHERE email_canonical = :e", e=email)
    return tuple(row)


def test_a_profile_is_saved_with_its_history(either_world: World, amara: Visitor):
    before = kept(either_world)
    answer = save(amara)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert "Your profile is saved." in amara.get("/account").text
    assert kept(either_world) == tuple(SOUND.values())
    (event,) = either_world.audit("profile.changed")
    assert event["actor"] == user_id(either_world, AMARA)
    assert event["after"] == {k: v for k, v in SOUND.items() if v not in before}
    assert event["before"]["name"] == "Amara Okafor"


def test_products_are_told_of_it(either_world: World, amara: Visitor):
    save(amara)
    claims = either_world.userinfo(amara.tokens()["access_token"]).json or {}
    told = {name: claims[name] for name in ("name", "locale", "zoneinfo", "family_name")}
    assert told == {name: SOUND[name] for name in told}


def test_admins_find_the_person_by_the_new_name(either_world: World, amara: Visitor):
    save(amara, name="Zenobia Okafor")
    assert "Zenobia Okafor" in amara.get("/manage/northwind/people?q=zenobia").text


def test_saving_what_is_there_already_is_no_event(either_world: World, amara: Visitor):
    save(amara)
    assert "is saved" not in amara.follow(save(amara)).text.replace("Your profile is saved.", "", 1)
    assert len(either_world.audit("profile.changed")) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 121),
        ("name", "Amara\nBcc: all@northwind.example"),
        ("name", "Amara \u202egninnac"),
        ("name", "Amara\u200bOkafor"),
        ("given_name", "a\x1bb"),
        ("family_name", "y" * 121),
        ("locale", "tlh"),
        ("locale", ""),
        ("zoneinfo", "Mars/Olympus"),
        ("zoneinfo", "../../etc/passwd"),
        ("zoneinfo", "Europe"),
    ],
)
def test_what_can_not_be_taken_is_refused_beside_its_field(
    either_world: World, amara: Visitor, field: str, value: str
):
    before = kept(either_world)
    answer = save(amara, **{field: value})
    if "\n" in value:  # it is shown and kept as one line
        assert (answer.status_code, kept(either_world)[0]) == (303, value.replace("\n", " "))
        return
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert kept(either_world) == before
    assert either_world.audit("profile.changed") == []


def test_nothing_else_of_a_person_can_be_written(either_world: World, amara: Visitor):
    """Least of all that an address is verified (security.md S58, S78)."""
    columns = "email, email_canonical, email_verified_at, status, is_operator, sessions_valid_after"
    query = f"SELECT {columns} FROM users ORDER BY id"
    before = either_world.run(query)
    save(
        amara,
        email="mallory@evil.example",
        email_canonical="mallory@evil.example",
        email_verified_at="1",
        email_verified="true",
        status="active",
        is_operator="1",
        sessions_valid_after="0",
        id=user_id(either_world, BEN),
        user_id=user_id(either_world, BEN),
    )
    assert either_world.run(query) == before
    assert kept(either_world, BEN)[0] == "Ben Castillo"


def test_times_are_shown_in_the_persons_zone(either_world: World, amara: Visitor):
    save(amara, zoneinfo="Asia/Kathmandu")
    page = amara.get("/account/sessions").text
    assert "+0545" in page or "Nepal" in page


def test_a_language_that_somebody_has_already_may_stay(either_world: World, amara: Visitor):
    """People come with finer ones, like `en-US`, than there are to choose from."""
    either_world.run("UPDATE users SET locale = 'es-MX' WHERE email_canonical = :e", e=AMARA)
    assert save(amara, locale="es-MX").status_code == 303
    assert kept(either_world)[:1] == ("Amara N. Okafor",)
    assert save(amara, locale="es-US").status_code == 422


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        *(("en-US", "English (United States)"), ("pt-BR", "Português (Brasil)")),
        *(("es", "Español"), ("xx", "xx"), ("zz-ZZ", "zz-ZZ"), ("", ""), ("\x00", "\x00")),
    ],
)
def test_a_language_is_called_as_those_who_speak_it_call_it(tag: str, name: str):
    assert language_name(tag) == name
