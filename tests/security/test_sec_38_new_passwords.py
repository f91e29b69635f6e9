"""S38: what can be chosen is kept as it was typed; what may not be is refused with the reason."""

from __future__ import annotations

import pytest

from idp.credentials import blocklist
from idp.login.new_password import Unfit
from idp.policies.password_rules import HISTORY, Why
from tests.console.inviting import NADIA, invite, newest_token
from tests.rules.test_password_hashing import Counting
from tests.security.choosing import NEW, choose, is_right, user_id, why_not
from tests.world import AMARA, DANA, PASSWORD, World

MINUTE = 60.0


@pytest.mark.parametrize(
    "claimed",
    [
        ("violet-harmonica-27 of teapots " * 3)[:64],
        ("violet-harmonica-27 of teapots " * 5)[:128],
        " leading and trailing space ",
        "🦊 violet harmonica 🦊",
        "contrase\u00f1a-de-teteras",
        "пароль-из-слов-о-чайниках",
    ],
)
def test_sec_38_it_is_taken_as_it_was_typed(world: World, claimed: str) -> None:
    choose(world, claimed)
    world.clock.move(MINUTE)
    assert is_right(world, claimed)
    for other in (claimed.strip(), claimed[:63], claimed[:-1], claimed.upper()):
        assert other == claimed or not is_right(world, other)


def test_sec_38_nothing_is_cut_off_at_the_seventy_third_byte(world: World) -> None:
    long = "violet-harmonica-27 of teapots " * 3
    choose(world, long + "a")
    world.clock.move(MINUTE)
    assert not is_right(world, long + "b")
    assert is_right(world, long + "a")


def test_sec_38_the_same_letters_by_another_keyboard_are_the_same(world: World) -> None:
    choose(world, "contrase\u00f1a-de-teteras")
    world.clock.move(MINUTE)
    assert is_right(world, "contrasen\u0303a-de-teteras")


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        ("short-27", Why.TOO_FEW_LETTERS),
        ("qwertyuiop", Why.COMMON),
        ("trustno1trustno1", Why.REPEATED),
        ("amara-northwind-7", Why.OWN_WORDS),
        ("Connections-2026", Why.OWN_WORDS),
        ("000webhost1500", Why.COMPROMISED),
        (PASSWORD, Why.USED_BEFORE),
        ("x" * 1025, Why.TOO_LONG),
    ],
)
def test_sec_38_it_is_refused_with_the_reason(world: World, claimed: str, reason: Why) -> None:
    assert why_not(world, claimed) is reason
    assert is_right(world)


def test_sec_38_almost_the_current_one_is_refused_where_that_was_typed(world: World) -> None:
    almost = PASSWORD.replace("9", "10")
    assert why_not(world, almost, claimed_current=PASSWORD) is Why.LIKE_CURRENT


def test_sec_38_what_is_too_long_is_refused_before_anything_is_computed(world: World) -> None:
    counting = Counting(world)
    object.__setattr__(world.held, "hasher", counting)
    for letters in (1025, 1_000_000):
        assert why_not(world, "v" * letters) is Why.TOO_LONG
        assert not is_right(world, "v" * letters)
    assert (counting.computed, counting.verifications) == (0, 0)


def test_p2_the_last_ten_are_not_had_again_and_older_ones_may_be(either_world: World) -> None:
    world = either_world
    chosen = [f"{word}-harmonica-of-teapots" for word in ["red", "blue", "teal", "pink", "gold"]]
    chosen += [f"{word}-trombone-of-kettles" for word in ["red", "blue", "teal", "pink", "gold"]]
    for each in chosen:
        world.clock.move(MINUTE)
        assert why_not(world, each) is None
    for each in chosen:
        assert why_not(world, each) is Why.USED_BEFORE, each
    assert why_not(world, PASSWORD) is None, "it was the eleventh"
    [(kept,)] = world.run("SELECT count(*) FROM former_passwords")
    assert kept == HISTORY.shipped - 1


def test_p2_a_company_says_how_many_are_remembered(world: World) -> None:
    world.run("UPDATE tenants SET policy = :p", p='{"password_history": 2}')
    for each in ("red-harmonica-of-teapots", "blue-harmonica-of-teapots"):
        world.clock.move(MINUTE)
        choose(world, each)
    assert why_not(world, "red-harmonica-of-teapots") is Why.USED_BEFORE
    assert why_not(world, PASSWORD) is None


def test_p2_the_history_of_somebody_else_is_their_own(world: World) -> None:
    choose(world, NEW)
    assert why_not(world, NEW, DANA) is None


def test_sec_38_the_strictest_of_the_companies_is_asked_for(world: World) -> None:
    world.run(
        "UPDATE tenants SET policy = :p WHERE slug = 'northwind'", p='{"password_min_length": 30}'
    )
    with pytest.raises(Unfit) as refused:
        choose(world)
    assert refused.value.objection == (Why.TOO_SHORT, 30)


@pytest.mark.parametrize(
    ("claimed", "words"),
    [
        ("qwertyuiopasdf", "easy to guess"),
        ("nadia-petrova-1", "little more than your name"),
        ("000webhost1500", "on a list of stolen ones"),
        ("Northwind 2026", "little more than your name"),
        ("br1ef", "at least 10 letters or digits"),
    ],
)
def test_sec_38_an_invited_person_is_told_what_is_wrong(
    world: World, claimed: str, words: str
) -> None:
    invite(world)
    browser, token = world.browser(), newest_token(world)
    page = browser.get(f"/invitation?token={token}")
    answer = browser.submit(page, name="Nadia Petrova", password=claimed)
    assert answer.status_code == 422
    assert words in answer.text
    assert claimed not in answer.text
    assert world.run("SELECT count(*) FROM users WHERE email = :e", e=NADIA) == [(0,)]


def test_sec_38_a_leaked_one_that_is_still_in_use_has_to_be_changed(world: World) -> None:
    leaked = world.held.hasher.hash("000webhost1500")
    world.run("UPDATE passwords SET hash = :h WHERE user_id = :u", h=leaked, u=user_id(world))
    assert is_right(world, "000webhost1500")
    demanded = "SELECT must_change FROM passwords WHERE user_id = :u"
    assert world.run(demanded, u=user_id(world)) == [("compromised",)]
    assert AMARA not in world.browser().sign_in(AMARA, "000webhost1500").headers.get("Location", "")
    world.clock.move(MINUTE)
    choose(world)
    assert world.run(demanded, u=user_id(world)) == [("",)]


def test_p2_the_service_that_the_settings_name_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = "https://list.example/range/", []

    def know(claimed: str, range_url: str) -> bool:
        asked.append(range_url)
        return True

    monkeypatch.setattr(blocklist, "is_compromised", know)
    object.__setattr__(world.settings, "compromised_range_url", url)
    assert why_not(world, NEW) is Why.COMPROMISED
    assert asked == [url]
