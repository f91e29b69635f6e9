"""S13 in the mail: whatever a request says of where it was sent, every letter and text message that
it brings about leads to our own address."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest
from werkzeug.test import TestResponse

from idp import delivery, outbox
from idp.worker import senders_of, watch
from tests.credentials.proving import PHONE, enrol_code
from tests.mailed import newest_link
from tests.security.second_factors import demand_a_second_factor
from tests.security.test_sec_13_host_headers import EVIL, FORWARDED
from tests.world import AMARA, BEN, DANA, HANA, ISSUER, PASSWORD, PRIYA, World

NADIA = "nadia@northwind.example"
MOVED = "dana.new@northwind.example"
LANES = (outbox.errands, outbox.codes, outbox.texts, outbox.letters)
CLAIMS: dict[str, dict[str, str]] = {
    "Host": {"Host": EVIL},
    **{", ".join(claimed): claimed for claimed in FORWARDED},
}


class Posted(NamedTuple):
    channel: str
    recipient: str
    subject: str
    body: str


class Caller:
    """A browser that says of each request that it was sent elsewhere, and is never told so."""

    def __init__(self, world: World, claimed: dict[str, str]) -> None:
        self.browser = world.browser(**claimed)

    def get(self, path: str) -> TestResponse:
        return self._noted(self.browser.follow(self.browser.get(path)))

    def submit(self, page: TestResponse, path: str | None = None, **fields: str) -> TestResponse:
        return self._noted(self.browser.follow(self.browser.submit(page, path, **fields)))

    def enter(self, path: str, email: str) -> TestResponse:
        page = self.get(path)
        if 'name="password"' in page.text:
            page = self.submit(page, email=email, password=PASSWORD)
        return page

    def _noted(self, answer: TestResponse) -> TestResponse:
        assert EVIL not in f"{answer.headers}{answer.text}"
        return answer


Deed = Callable[[World, Caller], None]


@pytest.fixture
def demo(world: World) -> World:
    """Letters and text messages are kept as they leave."""
    object.__setattr__(world.settings, "demo_inbox", True)
    enrol_code(world, "sms", PRIYA)
    demand_a_second_factor(world)
    world.run("DELETE FROM outbox")
    return world


def posted(world: World) -> list[Posted]:
    senders = senders_of(world.held)
    while delivery.deliver_due(world.held.database, senders, watch, world.clock(), LANES):
        pass
    rows = world.run("SELECT channel, recipient, subject, body FROM inbox_messages ORDER BY at, id")
    return [Posted(*row) for row in rows]


def forget_a_password(world: World, caller: Caller) -> None:
    caller.submit(caller.get("/login/forgot"), email=AMARA)
    caller.submit(caller.get(newest_link(world)))


def lock_somebody(_world: World, caller: Caller) -> None:
    page = caller.get("/account")
    for _ in range(5):
        caller.browser.submit(page, email=BEN, password="wrong")


def change_a_password(_world: World, caller: Caller) -> None:
    caller.submit(caller.enter("/account/password", DANA), "/account/password")


def move_to_another_address(world: World, caller: Caller) -> None:
    page = caller.enter("/account/email", DANA)
    caller.submit(page, "/account/email", email=MOVED)
    confirm = caller.get(newest_link(world, MOVED))
    caller.submit(confirm, "/account/email/confirm")


def invite(_world: World, caller: Caller) -> None:
    page = caller.enter("/manage/harbor/invitations/new", HANA)
    caller.submit(page, email=NADIA, kind="staff", role="agent")


def enrol_a_phone(_world: World, caller: Caller) -> None:
    for way in ("text", "mail"):
        page = caller.enter(f"/account/security/{way}", HANA)
        caller.submit(page, f"/account/security/{way}", action="send", number=PHONE)


def sign_in_by_a_code(_world: World, caller: Caller) -> None:
    page = caller._noted(caller.browser.sign_in(PRIYA, client_id="payments", tenant="harbor"))
    caller.submit(page, "/login/second_factor", method="sms", action="send")


DEEDS: dict[Deed, list[tuple[str, str]]] = {
    forget_a_password: [("mail", AMARA), ("mail", AMARA)],
    lock_somebody: [("mail", BEN)],
    change_a_password: [("mail", DANA)],
    move_to_another_address: [("mail", DANA), ("mail", MOVED), ("mail", DANA)],
    invite: [("mail", NADIA)],
    enrol_a_phone: [("sms", PHONE), ("mail", HANA)],
    sign_in_by_a_code: [("sms", PHONE)],
}


@pytest.mark.parametrize("claimed", CLAIMS)
def test_sec_13_every_letter_leads_to_the_configured_address(demo: World, claimed: str) -> None:
    expected = []
    for deed, letters in DEEDS.items():
        demo.clock.move(61)
        deed(demo, Caller(demo, CLAIMS[claimed]))
        expected += letters
    came = posted(demo)
    assert Counter(expected) <= Counter((each.channel, each.recipient) for each in came)
    for letter in came:
        assert_ours(letter)


def assert_ours(letter: Posted) -> None:
    said = f"{letter.subject}\n{letter.body}"
    assert "evil" not in said
    for address in re.findall(r"\w+://\S+", said):
        assert address.startswith(f"{ISSUER}/"), address
    for host in re.findall(r"^@(\S+) #", letter.body, re.MULTILINE):
        assert host == "localhost"
