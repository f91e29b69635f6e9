"""S40 and S41: five tries, however many come at once and however the address is spelled."""

from __future__ import annotations

import sys
import threading
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.credentials.hashing import PasswordHasher
from idp.credentials.tries import limit_key
from idp.directory.users import canonical_email
from tests.machine.redis_server import RedisServer
from tests.security.browsing import SignInForm, at_once, reopened
from tests.world import AMARA, BEN, PASSWORD, START, World

WRONG = "not-the-password-at-all"
HALF_AN_HOUR = 1800


def roomy(world: World) -> World:
    """Room for everybody to wait, so that nobody is turned away before being counted."""
    settings = replace(world.settings, argon2_queue=200, threads=300, tries_per_network=10**6)
    held = replace(
        world.held,
        settings=settings,
        hasher=PasswordHasher(settings, world.held.secret_keys.pepper),
    )
    return World(held, world.clock, world.folder)


class Watched:
    """Tells when the fifth try is being evaluated: all five are reserved by then."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._compare, self._hasher = hasher.compare, hasher
        self.locked = threading.Event()

    def __call__(self, stored: str | None, password: str) -> bool:
        right = self._compare(stored, password)
        if self._hasher.verifications >= 5:
            self.locked.set()
        return right


def is_let_in(answer: TestResponse) -> bool:
    assert answer.status_code in (303, 400), (answer.status, answer.text[:500])
    return answer.status_code == 303


def test_sec_40_a_hundred_wrong_passwords_at_once_are_five_and_the_right_one_is_late(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = roomy(either_world)
    form = SignInForm(world)
    watched = Watched(world.held.hasher)
    monkeypatch.setattr(world.held.hasher, "compare", watched)

    def right_one() -> TestResponse:
        assert watched.locked.wait(60)
        return form.send(AMARA, PASSWORD)

    wrong = [lambda: form.send(AMARA, WRONG)] * 100
    answers = at_once([*wrong, right_one])
    assert not any(is_let_in(answer) for answer in answers)
    assert world.held.hasher.verifications == 5
    assert len(world.audit("sign_in.locked")) == 1
    assert len(world.audit("sign_in.failed")) == 101
    world.clock.now = START + HALF_AN_HOUR - 1
    assert not is_let_in(form.send(AMARA, PASSWORD))
    world.clock.now = START + HALF_AN_HOUR
    assert is_let_in(form.send(AMARA, PASSWORD))


def test_sec_40_whoever_comes_in_a_crowd_is_counted_even_when_turned_away(
    either_world: World,
) -> None:
    """With the small queue of every day: too many at once are told to come back."""
    form = SignInForm(either_world)
    answers = at_once([lambda: form.send(AMARA, WRONG)] * 60)
    assert {answer.status_code for answer in answers} <= {400, 503}
    assert either_world.held.hasher.verifications == 5
    assert form.send(AMARA, PASSWORD).status_code == 400


def test_sec_40_the_lock_is_one_accounts_and_no_other_persons(world: World) -> None:
    form = SignInForm(world)
    for _ in range(6):
        form.send(AMARA, WRONG)
    assert not is_let_in(form.send(AMARA, PASSWORD))
    assert is_let_in(form.send(BEN, PASSWORD))


def test_sec_40_trying_while_it_is_locked_does_not_make_it_longer(world: World) -> None:
    form = SignInForm(world)
    for _ in range(5):
        form.send(AMARA, WRONG)
    for _ in range(29):
        world.clock.move(60)
        assert not is_let_in(form.send(AMARA, WRONG))
    world.clock.now = START + HALF_AN_HOUR
    assert is_let_in(form.send(AMARA, PASSWORD))


def test_sec_40_the_fifth_try_may_be_right_and_starts_the_count_anew(world: World) -> None:
    form = SignInForm(world)
    for _ in range(3):
        for _ in range(4):
            assert not is_let_in(form.send(AMARA, WRONG))
        assert is_let_in(form.send(AMARA, PASSWORD))
    assert world.audit("sign_in.locked") == []


def test_sec_40_the_lock_outlives_a_restart_and_needs_no_redis(
    world: World, own_redis: RedisServer
) -> None:
    beside_redis = reopened(world, replace(world.settings, redis_url=own_redis.url))
    form = SignInForm(beside_redis)
    for _ in range(3):
        assert form.send(AMARA, WRONG).status_code == 400
    own_redis.stop()
    for _ in range(2):
        assert form.send(AMARA, WRONG).status_code == 400
    own_redis.start()
    assert not is_let_in(form.send(AMARA, PASSWORD))
    restarted = reopened(world, world.settings)
    assert not is_let_in(SignInForm(restarted).send(AMARA, PASSWORD))
    restarted.held.database.close()
    beside_redis.held.database.close()


SPELLINGS = [
    AMARA,
    AMARA.upper(),
    "Amara@NorthWind.Example",
    f"  {AMARA}\t",
    "\u3000amara@northwind.example\u3000",
    "ａｍａｒａ@northwind.example",
    "amara\uff20northwind.example",
    "amara@northwind\u3002example",
    "amara@northwind\uff0eexample",
    "amara@NORTHWIND\uff61EXAMPLE",
    "ᵃmara@northwind.example",
    "𝐚𝐦𝐚𝐫𝐚@𝕟𝕠𝕣𝕥𝕙𝕨𝕚𝕟𝕕.example",
    "amara@northw\u2170nd.example",  # a small Roman numeral one
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_sec_41_each_spelling_of_an_address_signs_its_person_in(
    world: World, spelling: str
) -> None:
    assert is_let_in(SignInForm(world).send(spelling, PASSWORD))


@pytest.mark.parametrize("first", [0, 7])
def test_sec_41_all_spellings_of_an_address_share_one_count(world: World, first: int) -> None:
    form = SignInForm(world)
    for number in range(5):
        form.send(SPELLINGS[(first + number) % len(SPELLINGS)], WRONG)
    for spelling in SPELLINGS:
        assert not is_let_in(form.send(spelling, PASSWORD)), spelling
    assert world.held.hasher.verifications == 5
    assert world.run("SELECT count(*) FROM attempt_limits WHERE key LIKE 'password%'") == [(1,)]


def test_sec_41_all_ways_in_share_one_count(world: World) -> None:
    """The front door, a product's request, another product's, a tenant's, and asking again."""
    ways: list[dict[str, Any]] = [
        {},
        {"client_id": "payments"},
        {"tenant": "northwind"},
        {"tenant": "harbor"},
    ]
    for way in ways:
        browser = world.browser()
        page = browser.follow(browser.authorize(**way))
        assert not is_let_in(browser.submit(page, email=AMARA, password=WRONG))
    assert not is_let_in(SignInForm(world).send(AMARA, WRONG))
    assert not is_let_in(SignInForm(world).send(AMARA, PASSWORD))


def test_sec_41_signing_in_again_counts_like_signing_in(world: World) -> None:
    browser = world.browser()
    browser.tokens()
    for _ in range(5):
        page = browser.follow(browser.authorize(prompt="login"))
        assert not is_let_in(browser.submit(page, email=AMARA, password=WRONG))
    page = browser.follow(browser.authorize(prompt="login"))
    assert not is_let_in(browser.submit(page, email=AMARA, password=PASSWORD))


@pytest.mark.parametrize(
    "other",
    [
        "amara@northw\u0131nd.example",  # dotless i
        "am\u0430ra@northwind.example",  # Cyrillic a
        "amara@@northwind.example",
        "amara@northwind.example@evil.example",
        '"amara"@northwind.example',
        "ama\u200bra@northwind.example",
        "ama\u00adra@northwind.example",
        "amara@northwind.example\u202e",
        "amara+1@northwind.example",
        "amara@northwind.example\x00",
        "amara",
    ],
)
def test_sec_41_what_only_looks_like_an_address_is_nobody(world: World, other: str) -> None:
    """Neither let in, nor counted against the one it looks like."""
    form = SignInForm(world)
    for _ in range(6):
        assert not is_let_in(form.send(other, PASSWORD))
    assert world.held.hasher.verifications == 0
    assert is_let_in(form.send(AMARA, PASSWORD))


def test_sec_41_the_one_form_of_an_address_is_its_own_form(world: World) -> None:
    """For every character that has another form: what is stored is what is looked up."""
    keys = world.held.secret_keys
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if unicodedata.normalize("NFKC", character).casefold() == character:
            continue
        canonical = canonical_email(f"a{character}b@northwind.example")
        if canonical is not None:
            assert canonical_email(canonical) == canonical, hex(number)
            assert limit_key(keys, canonical) == limit_key(keys, f"a{character}b@northwind.example")
