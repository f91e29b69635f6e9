"""Of 20 uses of one mailed link, or of one temporary password, at once and on several processes,
one has an effect, and what is there afterwards is its effect alone."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from idp.secret_values import new_id
from tests.concurrency.conftest import Town
from tests.concurrency.test_volleys import BUSY
from tests.concurrency.volley import Answer, form
from tests.mailed import ask, mail_for, newest_link
from tests.security.choosing import is_right, user_id
from tests.world import PASSWORD, Visitor, World

AT_ONCE = 20
CHOSEN = [f"Quiet otters paint barge {number}" for number in range(AT_ONCE)]
COOKIES = ("browser", "form", "session", "device")
DONE = 303


@dataclass
class Racer:
    """Somebody of the demo's company whom no other test knows."""

    town: Town
    slug: str
    email: str = field(init=False)

    def __post_init__(self) -> None:
        self.email = f"racer-{new_id()[:12]}@{self.slug}.example"
        membership = {"tenant": self.slug, "roles": ["agent"]}
        person = {"email": self.email, "name": "Juno Brightwater", "password": PASSWORD}
        self.world.apply(users=[{**person, "memberships": [membership]}])

    @property
    def world(self) -> World:
        return self.town.world

    @property
    def id(self) -> str:
        return user_id(self.world, self.email)

    def count(self, table: str, condition: str = "1 = 1") -> int:
        query = f"SELECT count(*) FROM {table} WHERE user_id = :u AND {condition}"
        [(found,)] = self.world.run(query, u=self.id)
        return int(found)

    def events(self, tag: str) -> int:
        return [event["actor"] for event in self.world.audit(tag)].count(self.id)

    def letters(self, template: str) -> list[dict[str, Any]]:
        came = mail_for(self.world, self.email)
        return [letter for letter in came if letter["template"] == template]

    def reset_link(self) -> str:
        """It is asked for at the pages of this process, which share the database."""
        assert ask(self.world.browser(), self.email).status_code == 200
        return newest_link(self.world, self.email)

    def signed_in(self, path: str) -> Visitor:
        browser = self.world.browser()
        assert browser.enter(path, self.email).status_code == 200
        return browser

    def right_ones(self) -> list[str]:
        """By the hash alone: no try is counted."""
        [(kept,)] = self.world.run("SELECT hash FROM passwords WHERE user_id = :u", u=self.id)
        return [each for each in CHOSEN if self.world.held.hasher.compare(kept, each)]


@pytest.fixture
def racer(town: Town) -> Racer:
    """Of a company whose letters for a forgotten password lead to a temporary one."""
    return Racer(town, "harbor")


@pytest.fixture
def racer_by_link(town: Town) -> Racer:
    """Of one whose letters lead to a new password."""
    policy = "UPDATE tenants SET policy = :p WHERE slug = 'northwind'"
    town.world.run(policy, p='{"password_reset":"link"}')
    return Racer(town, "northwind")


def token_in(link: str) -> str:
    return re.split(r"[/=]", link)[-1]


def sent_by(visitor: Visitor, path: str, csrf_of: str = "/login/forgot", **fields: str) -> bytes:
    """A form of that browser's, with all its cookies, for the wire."""
    [token, *_] = re.findall(r'name="csrf_token" value="([^"]+)"', visitor.get(csrf_of).text)
    kept = [visitor.client.get_cookie(f"latchkey-{name}") for name in COOKIES]
    cookies = "; ".join(f"{each.key}={each.value}" for each in kept if each)
    return form(path, {"Cookie": cookies}, csrf_token=token, **fields)


def told(answers: list[Answer]) -> Counter[int]:
    """By status, without those for whom no room was left before anything was looked at."""
    return Counter(answer.status for answer in answers if answer.status != BUSY)


def is_one_of(answers: list[Answer], done: int, refused: int) -> bool:
    came = told(answers)
    return came[done] == 1 and set(came) <= {done, refused}


def the_one(answers: list[Answer], location: str) -> int:
    """Which of them was sent there."""
    [place] = [n for n, each in enumerate(answers) if each.headers.get("location") == location]
    return place


def test_sec_56_of_20_new_passwords_by_one_link_one_is_set(racer_by_link: Racer) -> None:
    racer, stranger = racer_by_link, racer_by_link.world.browser()
    racer.signed_in("/account")
    token = token_in(racer.reset_link())
    send = [sent_by(stranger, "/login/reset", token=token, password=each) for each in CHOSEN]
    answers = racer.town.fire(*send)
    assert is_one_of(answers, DONE, 404), told(answers)
    assert racer.right_ones() == [CHOSEN[the_one(answers, "/login/reset/done")]]
    assert not is_right(racer.world, PASSWORD, racer.email)
    assert racer.count("former_passwords") == racer.events("password.changed") == 1
    assert racer.count("password_links") == racer.count("sessions", "ended_at IS NULL") == 0
    [again] = racer.town.fire(send[0])
    assert again.status == 404


def test_sec_56_of_20_confirmations_of_one_link_one_sends_a_temporary_password(
    racer: Racer,
) -> None:
    racer.signed_in("/account")
    token = token_in(racer.reset_link())
    send = sent_by(racer.world.browser(), "/login/reset", token=token)
    answers = racer.town.fire(*[send] * AT_ONCE)
    assert is_one_of(answers, DONE, 404), told(answers)
    [letter] = racer.letters("temporary_password")
    assert racer.events("password.reset") == racer.count("temporary_passwords") == 1
    assert racer.count("password_links") == racer.count("sessions", "ended_at IS NULL") == 0
    assert not is_right(racer.world, PASSWORD, racer.email)
    assert is_right(racer.world, letter["code"], racer.email)


def test_sec_46_of_20_browsers_with_one_temporary_password_one_gets_on(racer: Racer) -> None:
    link = racer.reset_link()
    browser = racer.world.browser()
    browser.submit(browser.get(link))
    [letter] = racer.letters("temporary_password")
    browsers = [racer.world.browser() for _ in range(AT_ONCE)]
    pages = [each.follow(each.authorize()) for each in browsers]
    found = [re.findall(r'name="attempt" value="([^"]+)"', page.text)[-1] for page in pages]
    typed = {"email": racer.email, "password": letter["code"]}
    answers = racer.town.fire(
        *(
            sent_by(each, "/login/password", attempt=attempt, **typed)
            for each, attempt in zip(browsers, found, strict=True)
        )
    )
    assert is_one_of(answers, DONE, 400), told(answers)
    assert racer.count("temporary_passwords", "used_at IS NOT NULL") == 1
    assert racer.count("sessions") == racer.events("sign_in.succeeded") == 0
    place = next(n for n, answer in enumerate(answers) if answer.status == DONE)
    page = browsers[place].follow(browsers[place].get(answers[place].headers["location"]))
    assert "was a temporary one" in page.text


def test_sec_57_of_20_changes_by_one_link_one_is_made(racer: Racer) -> None:
    browser, other = racer.signed_in("/account/password"), racer.signed_in("/account")
    browser.submit(browser.get("/account/password"))
    path = racer.letters("password_change")[-1]["link"]
    typed = {"person": racer.id, "current": PASSWORD}
    send = [sent_by(browser, path, "/account", password=each, **typed) for each in CHOSEN]
    answers = racer.town.fire(*send)
    place = the_one(answers, "/account/security")
    others = [answer for number, answer in enumerate(answers) if number != place]
    assert set(told(others)) <= {303, 404, 422}
    to = {each.headers["location"].partition("?")[0] for each in others if each.status == 303}
    assert to <= {"/authorize"}, "whose session has another secret by then"
    assert racer.right_ones() == [CHOSEN[place]]
    assert not is_right(racer.world, PASSWORD, racer.email)
    assert racer.count("former_passwords") == racer.events("password.changed") == 1
    assert racer.count("password_links") == 0
    assert racer.count("sessions", "ended_at IS NULL") == 1, "the one that changed it"
    assert other.get("/account").status_code == 303


def test_sec_42_of_20_uses_of_the_link_one_lifts_the_pause(racer: Racer) -> None:
    for _ in range(5):
        assert not is_right(racer.world, "wrong", racer.email)
    assert not is_right(racer.world, PASSWORD, racer.email)
    [letter] = racer.letters("locked")
    stranger = racer.world.browser()
    send = sent_by(stranger, "/unlock", token=token_in(letter["link"]))
    answers = racer.town.fire(*[send] * AT_ONCE)
    assert told(answers) == {200: 1, 404: AT_ONCE - 1}
    assert racer.events("sign_in.unlocked") == 1
    assert racer.count("locks") == 0
    assert is_right(racer.world, PASSWORD, racer.email)


def moved(racer: Racer) -> tuple[Visitor, str, list[Answer]]:
    """Who has asked for the address that is returned, and confirmed it 20 times at once."""
    browser, new = racer.signed_in("/account/email"), f"new-{racer.email}"
    browser.submit(browser.get("/account/email"), "/account/email", email=new)
    token = token_in(mail_for(racer.world, new)[-1]["link"])
    fields = {"token": token, "person": racer.id}
    send = sent_by(browser, "/account/email/confirm", "/account", **fields)
    return browser, new, racer.town.fire(*[send] * AT_ONCE)


def test_sec_58_of_20_confirmations_of_an_address_one_moves_the_account(racer: Racer) -> None:
    own, old = racer.id, racer.email
    _, racer.email, answers = moved(racer)
    assert told(answers) == {DONE: 1, 404: AT_ONCE - 1}
    the_one(answers, "/account/security")
    assert racer.id == own
    assert racer.events("email.changed") == 1
    assert racer.count("email_changes", "confirmed_at IS NOT NULL") == 1
    letters = [each["template"] for each in mail_for(racer.world, old)]
    assert letters.count("email_changed") == 1


def test_sec_58_of_20_uses_of_the_way_back_one_gives_the_address_back(racer: Racer) -> None:
    own, old = racer.id, racer.email
    browser, new, _ = moved(racer)
    [letter] = [e for e in mail_for(racer.world, old) if e["template"] == "email_changed"]
    stranger = racer.world.browser()
    send = sent_by(stranger, "/account/email/undo", token=token_in(letter["link"]))
    answers = racer.town.fire(*[send] * AT_ONCE)
    assert told(answers) == {200: 1, 404: AT_ONCE - 1}
    assert racer.id == own, "found by the old address"
    assert racer.world.run("SELECT id FROM users WHERE email = :e", e=new) == []
    assert racer.events("email.given_back") == 1
    assert racer.count("sessions", "ended_at IS NULL") == 0
    assert browser.get("/account").status_code == 303
