"""S44 and S45: a failed sign-in says nothing about the address, and costs no more than it may."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
import pytest
from werkzeug.test import TestResponse

from idp.credentials.fair_queue import FairQueue
from idp.credentials.hashing import PEPPERED, PasswordHasher
from tests.console.people_of import letters
from tests.security.browsing import SignInForm, at_once, watched_statements
from tests.world import AMARA, BEN, DANA, PASSWORD, VICTOR, World

WRONG = "not-the-password-at-all"
NOBODY = "nobody@northwind.example"
NO_PASSWORD = "invited@northwind.example"
LOCKED = DANA
LOCKED_NOBODY = "ghosty@northwind.example"
NO_TENANT = "drifter@northwind.example"
CASES = {
    "wrong password": (AMARA, WRONG),
    "unknown": (NOBODY, WRONG),
    "unknown, with a password that somebody has": (NOBODY, PASSWORD),
    "disabled, wrong": (VICTOR, WRONG),
    "disabled, right": (VICTOR, PASSWORD),
    "locked, right": (LOCKED, PASSWORD),
    "locked, wrong": (LOCKED, WRONG),
    "locked and unknown": (LOCKED_NOBODY, WRONG),
    "no password": (NO_PASSWORD, WRONG),
    "of no company, wrong": (NO_TENANT, WRONG),
    "no address": ("nobody", WRONG),
    "an address that is no address": ("a@@b.example", WRONG),
    "the password of another": (BEN, PASSWORD.upper()),
}
VARYING = (
    (re.compile(r'name="csrf_token" value="[^"]*"'), "csrf"),
    (re.compile(r'name="attempt" value="[^"]*"'), "attempt"),
    (re.compile(r"attempt=[\w-]+"), "attempt"),
)


@pytest.fixture
def crowd(world: World) -> World:
    """Somebody in each of the states that an attacker would like to tell apart."""
    world.apply(
        users=[
            {
                "email": NO_PASSWORD,
                "name": "In Vited",
                "invitation": True,
                "memberships": [{"tenant": "northwind", "roles": ["agent"]}],
            },
            {"email": NO_TENANT, "name": "No Tenant", "password": PASSWORD},
        ]
    )
    form = SignInForm(world)
    for email in (LOCKED, LOCKED_NOBODY):
        for _ in range(5):
            form.send(email, WRONG)
    return world


def told(answer: TestResponse, email: str) -> tuple[object, ...]:
    """All that the sender sees, without what is random or what they typed themselves."""
    body = answer.text
    for pattern, name in VARYING:
        body = pattern.sub(name, body)
    headers = [
        (name, value)
        for name, value in answer.headers
        if name not in ("Content-Length", "Set-Cookie", "X-Request-ID")
    ]
    length = int(answer.headers["Content-Length"]) - body.count(email) * len(email)
    cookies = [cookie.partition("=")[0] for cookie in answer.headers.getlist("Set-Cookie")]
    return answer.status_code, body.replace(email, "(typed)"), length, headers, cookies


def test_sec_44_every_failed_sign_in_says_the_same(crowd: World) -> None:
    form = SignInForm(crowd)
    expected = told(form.send(AMARA, WRONG), AMARA)
    assert expected[0] == 400
    for case, (email, password) in CASES.items():
        assert told(form.send(email, password), email) == expected, case


def test_sec_44_every_failed_sign_in_says_the_same_to_a_product_that_asked(crowd: World) -> None:
    answers = {}
    for case, (email, password) in CASES.items():
        browser = crowd.browser()
        page = browser.follow(browser.authorize())
        answers[case] = told(browser.submit(page, email=email, password=password), email)
    expected = answers["wrong password"]
    assert {case: told for case, told in answers.items() if told != expected} == {}


def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that Argon2 compared with, whosever they are, from now on."""
    verify = argon2.PasswordHasher.verify
    seen: list[str] = []

    def watch(hasher: argon2.PasswordHasher, stored: str, password: str) -> bool:
        seen.append(stored)
        return verify(hasher, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watch)
    return seen


def test_sec_44_every_failed_sign_in_does_the_same_work(
    crowd: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: the same statements in the same order, and one Argon2 computation."""
    form = SignInForm(crowd)
    seen = computed(monkeypatch)
    work = {}
    for case, (email, password) in CASES.items():
        seen.clear()
        with watched_statements() as statements:
            form.send(email, password)
        work[case] = (len(seen), *statements)
    expected = work["wrong password"]
    assert expected[0] == 1
    assert {case: done for case, done in work.items() if done != expected} == {}


def test_sec_44_nobodys_hash_costs_what_everybodys_costs(world: World) -> None:
    ((stored,),) = world.run(
        "SELECT hash FROM passwords JOIN users ON users.id = user_id WHERE email = :e", e=AMARA
    )
    nobodys = argon2.extract_parameters(world.held.hasher._nobody.removeprefix(PEPPERED))
    assert argon2.extract_parameters(stored.removeprefix(PEPPERED)) == nobodys
    assert nobodys.memory_cost == world.settings.argon2_memory_kib


def test_sec_44_nobodys_hash_is_computed_with_and_found_wrong(world: World) -> None:
    """One that can't be read would be refused at once."""
    hasher = world.held.hasher
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        hasher._argon2.verify(hasher._nobody.removeprefix(PEPPERED), PASSWORD)
    assert hasher._nobody != PasswordHasher(world.settings, world.held.secret_keys.pepper)._nobody


def test_sec_44_an_unknown_address_is_locked_like_a_known_one(world: World) -> None:
    form = SignInForm(world)
    seen = {
        email: [told(form.send(email, WRONG), email) for _ in range(7)] for email in (AMARA, NOBODY)
    }
    assert seen[AMARA] == seen[NOBODY]
    assert [event["reason"] for event in world.audit("sign_in.failed")][4:7] == [
        "wrong password",
        "paused",
        "paused",
    ]
    assert len(world.audit("sign_in.locked")) == 2


def test_sec_44_only_the_owner_learns_of_a_lock_by_mail(world: World) -> None:
    form = SignInForm(world)
    for email in (AMARA, NOBODY):
        for _ in range(6):
            form.send(email, WRONG)
    assert [letter["to"] for letter in letters(world)] == [AMARA]


@pytest.mark.parametrize("hint", [AMARA, NOBODY, VICTOR])
def test_sec_44_a_login_hint_brings_the_same_page_for_everybody(world: World, hint: str) -> None:
    pages = []
    for email in (AMARA, hint):
        browser = world.browser()
        page = browser.follow(browser.authorize(login_hint=email))
        pages.append(told(page, email))
    assert pages[0] == pages[1]


def hashing_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(argon2.PasswordHasher, "verify", refuse)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", refuse)


@pytest.mark.parametrize("email", [AMARA, NOBODY])
@pytest.mark.parametrize(("length", "status"), [(1025, 400), (60_000, 400), (2**20, 413)])
def test_sec_45_a_password_that_is_too_long_is_refused_before_it_is_hashed(
    world: World, email: str, length: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = SignInForm(world)
    hashing_nothing(monkeypatch)
    assert form.send(email, "x" * length).status_code == status
    assert form.send(email, "é" * (length // 2 + 1)).status_code in (status, 413)


def test_sec_45_the_longest_password_that_is_allowed_is_tried(world: World) -> None:
    form = SignInForm(world)
    assert form.send(AMARA, "ﷺ" * 341).status_code == 400  # NFKC makes it eighteen times as long
    assert world.held.hasher.verifications == 1


@contextmanager
def full(hasher: PasswordHasher) -> Iterator[None]:
    """Its one slot is taken, and nobody may wait for it."""
    hasher._queue = FairQueue(1, 0)
    with hasher.slot():
        yield


def test_sec_45_a_full_queue_says_come_back_and_everything_else_goes_on(world: World) -> None:
    form, code = SignInForm(world), world.browser().code()
    with full(world.held.hasher):
        for email, password in ((AMARA, PASSWORD), (NOBODY, WRONG)):
            answer = form.send(email, password)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert answer.headers["Cache-Control"] == "no-store"
        assert world.get("/jwks").status_code == 200
        assert world.get("/.well-known/openid-configuration").status_code == 200
        tokens = world.redeem(code)
        assert tokens.status_code == 200
        assert world.userinfo((tokens.json or {})["access_token"]).status_code == 200
        assert world.browser().get("/").status_code == 200
    assert form.send(AMARA, PASSWORD).status_code == 303


def test_sec_45_whoever_was_turned_away_has_not_used_a_try(world: World) -> None:
    form = SignInForm(world)
    with full(world.held.hasher):
        for _ in range(10):
            assert form.send(AMARA, PASSWORD).status_code == 503
    assert world.run("SELECT count(*) FROM attempt_limits") == [(0,)]
    assert form.send(AMARA, PASSWORD).status_code == 303


def test_sec_45_no_more_than_the_slots_are_hashed_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, lock = argon2.PasswordHasher.verify, threading.Lock()
    running, most = [0], [0]

    def watch(hasher: argon2.PasswordHasher, stored: str, password: str) -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        try:
            return verify(hasher, stored, password)
        finally:
            with lock:
                running[0] -= 1

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watch)
    form = SignInForm(world)
    at_once([lambda: form.send(NOBODY, WRONG)] * 30)
    assert 1 <= most[0] <= world.settings.argon2_slots
