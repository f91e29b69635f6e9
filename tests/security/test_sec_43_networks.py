"""S43: in front of the accounts, limits by network and company, by keys that no caller chooses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idp.audit import Origin
from idp.credentials import challenges, password
from idp.credentials.hashing import PasswordHasher
from idp.credentials.networks import network_of
from idp.credentials.password import SignInRefused
from idp.credentials.tries import QUESTIONS, WINDOW, TooManyTries
from idp.credentials.webauthn import Unsound
from idp.proxies import behind_proxies
from tests.authenticator import Authenticator
from tests.passkeys_of import Keys
from tests.security.browsing import SignInForm
from tests.security.choosing import is_right
from tests.security.test_sec_42_devices import device, known_browser
from tests.world import AMARA, BEN, HANA, PASSWORD, PRIYA, World

WRONG = "not-the-password-at-all"
MOST = 12


def tight(world: World, **limits: int) -> World:
    """Small budgets, to be used up quickly."""
    chosen: dict[str, Any] = {"tries_per_network": MOST, "tries_per_tenant": 10**6, **limits}
    settings = replace(world.settings, **chosen)
    hasher = PasswordHasher(settings, world.held.secret_keys.pepper)
    held = replace(world.held, settings=settings, hasher=hasher)
    return World(held, world.clock, world.folder)


def outcome(world: World, email: str, claimed: str = WRONG, address: str = "198.51.100.7") -> str:
    held = world.held
    given = (held.database, held.hasher, held.secret_keys, held.settings, email, claimed)
    try:
        password.verify(*given, world.clock(), Origin(address))
    except (SignInRefused, TooManyTries) as refusal:
        return refusal.detail
    return "in"


def use_up(world: World, address: str = "198.51.100.7") -> None:
    for number in range(MOST):
        assert outcome(world, f"nobody-{number}@x.example", address=address) == "unknown address"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("198.51.100.7", "::ffff:198.51.100.7", True),
        ("198.51.100.7", "::FFFF:c633:6407", True),
        ("2001:db8:1:2::1", "2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("not an address", "", True),
        ("010.0.0.1", "0x0a000001", True),
    ],
)
def test_sec_43_a_network_is_one_however_it_is_written(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) == same


def test_sec_43_a_network_that_tried_too_often_is_held_up_whoever_it_tries(
    either_world: World,
) -> None:
    world = tight(either_world)
    use_up(world)
    verifications = world.held.hasher.verifications
    for email in (AMARA, "nobody@northwind.example"):
        assert outcome(world, email, PASSWORD).startswith("network")
    assert world.held.hasher.verifications == verifications
    assert outcome(world, AMARA, PASSWORD, "198.51.100.8") == "in"
    world.clock.move(599)
    assert outcome(world, AMARA, PASSWORD).startswith("network")
    world.clock.move(1)
    assert outcome(world, AMARA, PASSWORD) == "in"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:dead:beef::7"),
        ("198.51.100.7", "::ffff:198.51.100.7"),
        ("garbage", "other garbage"),
        ("", "unknown"),
    ],
)
def test_sec_43_another_spelling_is_no_other_network(world: World, first: str, then: str) -> None:
    world = tight(world)
    use_up(world, first)
    assert outcome(world, AMARA, PASSWORD, then).startswith("network")


def test_sec_43_what_was_right_is_given_back(world: World) -> None:
    world = tight(world)
    for _ in range(3 * MOST):
        assert outcome(world, AMARA, PASSWORD) == "in"
    for number in range(MOST - 1):
        outcome(world, f"nobody-{number}@x.example")
    for _ in range(3):
        assert outcome(world, AMARA, PASSWORD) == "in"
    outcome(world, "last@x.example")
    assert outcome(world, AMARA, PASSWORD).startswith("network")


def test_sec_43_it_is_told_once_and_the_page_says_it_of_anybody(world: World) -> None:
    world = tight(world)
    form = SignInForm(world)
    for number in range(MOST):
        assert form.send(f"nobody-{number}@x.example", WRONG).status_code == 400
    told = {form.send(email, PASSWORD).status_code for email in (AMARA, "nobody@x.example")}
    assert told == {429}
    assert len(world.audit("sign_in.held_up")) == 1
    assert len(world.audit("sign_in.failed")) == MOST, "and no line for each that follows"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.{}"},
        {"X-Forwarded-For": "garbage {}"},
        {"X-Forwarded-For": "2001:db8::{}, 203.0.113.9"},
        {"Forwarded": "for=203.0.113.{}"},
        {"X-Real-IP": "203.0.113.{}"},
        {"X_Forwarded_For": "203.0.113.{}"},
        {"Client-IP": "203.0.113.{}", "True-Client-IP": "203.0.113.{}"},
    ],
)
@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"])
def test_sec_43_no_header_of_a_stranger_chooses_the_network(
    world: World, headers: dict[str, str], proxies: str
) -> None:
    world = tight(world)
    form = SignInForm(world)
    world.app = behind_proxies(world.app, proxies)
    for number in range(MOST):
        form.headers |= {name: value.format(number) for name, value in headers.items()}
        more = {"address": f"203.0.113.{number}", "ip": f"203.0.113.{number}"}
        assert form.send(f"nobody-{number}@x.example", WRONG, **more).status_code == 400
    form.headers |= {name: value.format(99) for name, value in headers.items()}
    assert form.send(AMARA, PASSWORD).status_code == 429


@pytest.mark.parametrize("said", ["garbage", "203.0.113.1, garbage", "", "1.2.3.4.5", "x" * 5000])
def test_sec_43_what_a_proxy_can_not_have_meant_skips_nothing(world: World, said: str) -> None:
    world = tight(world)
    form = SignInForm(world)
    world.app = behind_proxies(world.app, "127.0.0.1")
    for number in range(MOST):
        form.headers["X-Forwarded-For"] = said
        form.send(f"nobody-{number}@x.example", WRONG)
    assert form.send(AMARA, PASSWORD).status_code == 429


def test_sec_43_a_trusted_proxys_word_tells_networks_apart(world: World) -> None:
    world = tight(world)
    form = SignInForm(world)
    world.app = behind_proxies(world.app, "127.0.0.1")
    form.headers["X-Forwarded-For"] = "203.0.113.1"
    for number in range(MOST):
        form.send(f"nobody-{number}@x.example", WRONG)
    assert form.send(AMARA, PASSWORD).status_code == 429
    form.headers["X-Forwarded-For"] = "203.0.113.2"
    assert form.send(AMARA, PASSWORD).status_code == 303


def test_sec_43_a_company_that_is_tried_too_often_is_held_up_and_no_other(
    either_world: World,
) -> None:
    world = tight(either_world, tries_per_network=10**6, tries_per_tenant=10)
    known = device(known_browser(world))
    people = [AMARA, BEN, "dana@northwind.example"]
    for number in range(10):
        outcome(world, people[number % 3], address=f"198.51.100.{number}")
    assert outcome(world, AMARA, PASSWORD) == "company held up"
    assert outcome(world, HANA, PASSWORD) == "in"
    assert is_right(world, device=known), "in a browser of hers she is no stranger"
    [event] = world.audit("sign_in.held_up")
    assert "network" not in event
    world.clock.move(WINDOW)
    assert outcome(world, "dana@northwind.example", PASSWORD) == "in"


def test_sec_43_what_was_right_uses_up_no_company(world: World) -> None:
    world = tight(world, tries_per_network=10**6, tries_per_tenant=10)
    for _ in range(15):
        assert outcome(world, AMARA, PASSWORD) == "in"


def test_sec_43_nobody_s_tries_hold_up_no_company(world: World) -> None:
    world = tight(world, tries_per_network=10**6, tries_per_tenant=10)
    for number in range(12):
        outcome(world, f"nobody-{number}@x.example")
    assert world.audit("sign_in.held_up") == []


def test_sec_43_a_company_that_somebody_has_left_is_not_held_up_for_them(world: World) -> None:
    world = tight(world, tries_per_network=10**6, tries_per_tenant=10)
    world.run(
        "UPDATE memberships SET status = 'ended' WHERE user_id = (SELECT id FROM users"
        " WHERE email = :e) AND tenant_id = (SELECT id FROM tenants WHERE slug = 'harbor')",
        e=PRIYA,
    )
    for number in range(10):
        outcome(world, PRIYA, address=f"198.51.100.{number}")
    assert outcome(world, BEN, PASSWORD) == "company held up"
    assert outcome(world, HANA, PASSWORD) == "in"


def test_sec_43_who_is_of_a_company_that_is_held_up_is_not_told(world: World) -> None:
    world = tight(world, tries_per_network=10**6, tries_per_tenant=10)
    form = SignInForm(world)
    before = form.send(BEN, WRONG)
    for _ in range(10):
        form.send(AMARA, WRONG)
    held_up, unknown = form.send(BEN, PASSWORD), form.send("nobody@northwind.example", PASSWORD)
    assert {each.status_code for each in (before, held_up, unknown)} == {400}
    assert len(before.text) == len(held_up.text)


def by_passkey(
    keys: Keys,
    passkey: Authenticator,
    *,
    right: bool = True,
    address: str = "198.51.100.7",
    purpose: str = challenges.SIGN_IN,
) -> str:
    """What comes of one try by it."""
    here = {"origin": keys.world.settings.issuer}
    answer = passkey.get(keys.ask(purpose), client=here) if right else "{}"
    try:
        keys.prove(purpose, answer, Origin(address))
    except (Unsound, TooManyTries) as refusal:
        return "held up" if isinstance(refusal, TooManyTries) else "wrong"
    return "in"


def with_passkey(world: World) -> tuple[Keys, Authenticator]:
    keys = Keys(tight(world))
    return keys, keys.enrol()


@pytest.mark.parametrize("purpose", [challenges.SIGN_IN, challenges.SECOND_FACTOR])
def test_sec_43_a_network_of_many_wrong_passkeys_is_held_up_and_no_account(
    either_world: World, purpose: str
) -> None:
    keys, passkey = with_passkey(either_world)
    world = keys.world
    for _ in range(MOST):
        assert by_passkey(keys, passkey, right=False, purpose=purpose) == "wrong"
    for address in ("198.51.100.7", "::ffff:198.51.100.7"):
        assert by_passkey(keys, passkey, address=address, purpose=purpose) == "held up"
    assert by_passkey(keys, passkey, address="198.51.100.8", purpose=purpose) == "in"
    assert outcome(world, AMARA, PASSWORD) == "in", "a password is another counter"
    (event,) = world.audit("sign_in.held_up")
    assert event["network"] == "198.51.100.7"
    world.clock.move(WINDOW)
    assert by_passkey(keys, passkey, purpose=purpose) == "in"


def test_sec_43_right_passkeys_are_given_back(world: World) -> None:
    keys, passkey = with_passkey(world)
    for _ in range(3 * MOST):
        assert by_passkey(keys, passkey) == "in"
    assert keys.world.audit("sign_in.held_up") == []


def test_sec_42_wrong_passwords_of_a_network_keep_no_passkey_out(world: World) -> None:
    keys, passkey = with_passkey(world)
    use_up(keys.world)
    assert outcome(keys.world, AMARA, PASSWORD).startswith("network")
    assert by_passkey(keys, passkey) == "in"


def test_sec_43_wrong_passkeys_are_told_to_wait_on_the_page(world: World) -> None:
    browser = tight(world).browser()
    page = browser.get("/")
    for _ in range(MOST):
        assert browser.submit(page, "/login/passkey", passkey="{}").status_code == 400
    refused = browser.submit(page, "/login/passkey", passkey="{}")
    assert refused.status_code == 429
    assert "too many tries from your network" in refused.text
    assert len(world.audit("sign_in.failed")) == MOST, "and no line for each that follows"


def test_sec_43_what_a_browser_asks_about_passkeys_is_counted_too(either_world: World) -> None:
    browser = tight(either_world).browser()
    page = browser.get("/")
    for _ in range(QUESTIONS * MOST):
        assert browser.submit(page, "/login/passkey/options").status_code == 200
    assert browser.submit(page, "/login/passkey/options").status_code == 429
    either_world.clock.move(WINDOW)
    page = browser.get("/")
    assert browser.submit(page, "/login/passkey/options").status_code == 200
