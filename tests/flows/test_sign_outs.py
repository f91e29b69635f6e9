"""Sessions and their end, as people, admins and products are told of it (product.md N6, S8, S9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from idp import delivery
from idp.directory import catalog_version
from idp.sessions.logout import MESSAGE
from idp.worker import tell_product, watch
from tests.console.people_of import give_role, member_id
from tests.machine.processes import LOOPBACK
from tests.world import AMARA, BEN, DANA, HANA, PASSWORD, PRIYA, Visitor, World, sent_back

PRODUCTS = ("lms", "payments", "connections")
DAY = 86400.0


class Products:
    """All of them at one address: each answers a sign-out with its `status`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.status = dict.fromkeys(PRODUCTS, 200)
        self.told: list[str] = []

    def take(self, name: str) -> int:
        self.told.append(name)
        return self.status[name]


@contextmanager
def listening() -> Iterator[Products]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(found.take(self.path.strip("/")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet: the body holds a token."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    found = Products(f"http://{LOOPBACK}:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def products(either_world: World) -> Iterator[Products]:
    with listening() as found:
        for name in PRODUCTS:
            either_world.run(
                "UPDATE clients SET backchannel_logout_uri = :u WHERE client_id = :c",
                u=f"{found.address}/{name}",
                c=name,
            )
        with either_world.held.database.transaction() as db:
            catalog_version.touch(db)
        either_world.clock.move(2)
        yield found


def deliver(world: World) -> None:
    senders = {MESSAGE: partial(tell_product, world.held)}
    while delivery.deliver_due(world.held.database, senders, watch, world.clock()):
        pass


def sign_out(browser: Visitor) -> None:
    browser.submit(browser.get("/logout"), decision="sign_out")


def test_n6_what_each_product_answered_is_seen_by_the_person_and_by_their_admin(
    either_world: World, products: Products
) -> None:
    world, browser = either_world, either_world.browser()
    for name in PRODUCTS:
        browser.tokens(DANA, name)
    products.status |= {"payments": 400, "connections": 503}
    sign_out(browser)
    deliver(world)
    told = browser.get("/logout/done").text
    assert "Not every product has confirmed it." in told
    assert "Tried 1 time, trying again <time" in told
    danas, admins = world.browser(), world.browser()
    page = f"/manage/northwind/people/{member_id(world, DANA)}"
    seen = [danas.enter("/account/sessions", DANA).text, admins.enter(page, AMARA).text]
    for text in seen:
        receipts = text.partition("Sign-outs of the last thirty days")[2]
        assert receipts.count("Signed out") == 1
        assert receipts.count("Refused") == 1
        assert receipts.count("Tried 1 time, trying again <time") == 1
    for _ in range(30):
        world.clock.move(3600.0)
        deliver(world)
    assert products.told.count("lms") == products.told.count("payments") == 1
    assert products.told.count("connections") > 2
    for visitor, path in ((danas, "/account/sessions"), (admins, page)):
        email = DANA if visitor is danas else AMARA
        assert "Could not be told" in visitor.enter(path, email).text
    tags = [event["tag"] for event in world.audit() if event["tag"].startswith("logout.")]
    assert sorted(tags) == ["logout.delivered", "logout.undelivered", "logout.undelivered"]


def test_n6_a_product_that_was_away_is_told_once_it_is_back(
    either_world: World, products: Products
) -> None:
    world, browser = either_world, either_world.browser()
    browser.tokens(DANA)
    products.status["lms"] = 503
    sign_out(browser)
    deliver(world)
    products.status["lms"] = 200
    world.clock.move(3600.0)
    deliver(world)
    assert products.told == ["lms", "lms"]
    page = world.browser().enter("/account/sessions", DANA).text
    assert "Signed out" in page.partition("Sign-outs of the last thirty days")[2]


def test_n6_an_admin_sees_what_was_opened_at_their_company_alone(
    either_world: World, products: Products
) -> None:
    """Priya is at home in both: what she opened at the other one is not theirs to know."""
    world, browser = either_world, either_world.browser()
    give_role(world, PRIYA, "account_admin")
    browser.tokens(PRIYA, "payments", tenant="northwind")
    browser.tokens(PRIYA, "lms", tenant="harbor")
    sign_out(browser)
    deliver(world)
    for email, slug, has, has_not in (
        (AMARA, "northwind", "Secure Payments", "LMS"),
        (HANA, "harbor", "LMS", "Secure Payments"),
    ):
        page = f"/manage/{slug}/people/{member_id(world, PRIYA, slug)}"
        text = world.browser().enter(page, email).text
        receipts = text.partition("Sign-outs of the last thirty days")[2].partition("</section>")[0]
        assert has in receipts, slug
        assert has_not not in receipts, slug


def test_n6_who_came_from_another_company_keeps_it_to_themselves(
    either_world: World, products: Products
) -> None:
    world, browser = either_world, either_world.browser()
    browser.tokens(PRIYA, tenant="harbor")
    sign_out(browser)
    priya = member_id(world, PRIYA, "harbor")
    page = f"/manage/harbor/people/{priya}"
    assert "Sign-outs of the last" in world.browser().enter(page, HANA).text
    world.run("UPDATE memberships SET source = 'cross_tenant' WHERE id = :m", m=priya)
    assert "Sign-outs of the last" not in world.browser().enter(page, HANA).text


def test_s8_people_see_and_end_their_own_sessions_and_the_rest_goes_on(
    either_world: World,
) -> None:
    here, there, other = (either_world.browser() for _ in range(3))
    tokens = there.tokens(BEN)
    other.tokens(DANA)
    page = here.enter("/account/sessions", BEN)
    here.submit(page, "/account/sessions", others="1")
    assert either_world.introspect(tokens["access_token"]) == {"active": False}
    assert either_world.refresh(tokens["refresh_token"]).status_code == 400
    assert sent_back(there.authorize(prompt="none"))["error"] == "login_required"
    assert here.get("/account/sessions").status_code == 200
    assert "code" in sent_back(other.authorize(prompt="none"))


@pytest.mark.parametrize("what", ["sessions", "disable"])
def test_s8_an_admin_ends_sessions_and_disabling_ends_what_it_must_at_once(
    either_world: World, what: str
) -> None:
    browser, other = either_world.browser(), either_world.browser()
    tokens, others = browser.tokens(BEN), other.tokens(DANA)
    admin = either_world.browser()
    page = f"/manage/northwind/people/{member_id(either_world, BEN)}"
    shown = admin.enter(f"{page}/disable" if what == "disable" else page, AMARA)
    assert admin.submit(shown, f"{page}/{what}").status_code == 303
    assert either_world.introspect(tokens["access_token"]) == {"active": False}
    assert either_world.refresh(tokens["refresh_token"]).status_code == 400
    assert either_world.introspect(others["access_token"])["active"] is True
    again = either_world.browser().sign_in(BEN)
    assert (again.status_code == 303) is (what == "sessions")


def test_s8_a_session_ends_when_it_is_not_used_and_when_it_is_old(either_world: World) -> None:
    settings, browser = either_world.settings, either_world.browser()
    browser.tokens(BEN)
    either_world.clock.move(settings.session_idle_lifetime)
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    browser.tokens(BEN)
    used = 0.0
    while used + settings.session_idle_lifetime / 2 < settings.session_absolute_lifetime:
        used += settings.session_idle_lifetime / 2
        either_world.clock.move(settings.session_idle_lifetime / 2)
        assert "code" in sent_back(browser.authorize(prompt="none"))
    either_world.clock.move(settings.session_absolute_lifetime - used)
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"


def failed(world: World, email: str, password: str) -> tuple[int, str]:
    """Status and the sentence of the page."""
    answer = world.browser().sign_in(email, password)
    sentence = "We could not sign you in. Check your details, or reset your password."
    assert sentence in answer.text, answer.text
    return answer.status_code, sentence


def test_s9_every_failed_sign_in_says_the_same_the_log_says_why_and_the_owner_is_mailed(
    either_world: World,
) -> None:
    """That it takes the same time is S44's."""
    world = either_world
    world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=HANA)
    told = {
        failed(world, "nobody@northwind.example", PASSWORD),
        failed(world, DANA, "not-the-password-at-all"),
        failed(world, HANA, PASSWORD),
    }
    told |= {failed(world, BEN, "not-the-password-at-all") for _ in range(5)}
    told.add(failed(world, BEN, PASSWORD))
    assert len(told) == 1
    reasons = [event["reason"] for event in world.audit("sign_in.failed")]
    assert len({reasons[0], reasons[1], reasons[2], reasons[-1]}) == 4
    letters = world.run("SELECT payload FROM outbox WHERE kind = 'code' OR kind = 'mail'")
    assert [BEN in payload for (payload,) in letters] == [True]
