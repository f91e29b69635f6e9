"""How many statements each hot endpoint sends, in the steady state: the catalogue fresh, the
session touched within the minute. A statement more is a round trip more (speed.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from tests.console.calling import secret_of
from tests.console.operators_tokens import DESK, NODES, refreshed, register, signed_in
from tests.security.client_host import Host
from tests.security.protocol import code_for
from tests.security.protocol import register as register_parties
from tests.security.proving_possession import (
    APP,
    ask_machine,
    bring,
    made,
    redeem_with,
    refresh_with,
)
from tests.security.proving_possession import MACHINE as KEY_MACHINE
from tests.security.publishing import FIRST, ask_by, published
from tests.security.second_factors import demand_a_second_factor
from tests.world import Visitor, World, sent_back


class CountingDriver:
    """A driver's connection that writes down every statement, BEGIN and COMMIT too."""

    def __init__(self, driver: Any, sent: list[str]) -> None:
        self.driver = driver
        self._sent = sent

    def execute(self, statement: str, *parameters: Any) -> Any:
        self._sent.append(statement)
        return self.driver.execute(statement, *parameters)


class Counter:
    """What `held.database` was sent, by either of its two ways in."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        lanes = world.held.database.lanes
        take, give_back = lanes.take, lanes.give_back
        monkeypatch.setattr(
            lanes, "take", lambda *how, **named: CountingDriver(take(*how, **named), self.sent)
        )
        monkeypatch.setattr(lanes, "give_back", lambda counting: give_back(counting.driver))
        for event in ("before_cursor_execute", "begin", "commit", "rollback"):
            sa.event.listen(world.held.database.engine, event, self._note(event))

    def _note(self, event: str) -> Any:
        def note(_connection: Any, *details: Any) -> None:
            self.sent.append(details[1] if details else event)

        return note

    def during(self, ask: Callable[[], TestResponse], status: int = 200) -> list[str]:
        """The statements of one request, which has to succeed."""
        self.sent.clear()
        answer: TestResponse = ask()
        assert answer.status_code == status, answer.text
        return list(self.sent)


@pytest.fixture
def statements(either_world: World, monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(either_world, monkeypatch)


@pytest.fixture
def visitor(either_world: World) -> Visitor:
    """Signed in, with tokens already issued once, so that everything is warm."""
    browser = either_world.browser()
    browser.tokens()
    return browser


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
def test_metadata_needs_none(either_world: World, statements: Counter, path: str) -> None:
    either_world.get(path)
    assert statements.during(lambda: either_world.get(path)) == []


def test_client_credentials_need_none(either_world: World, statements: Counter) -> None:
    def ask() -> TestResponse:
        return either_world.post(
            "/token", either_world.basic("lms-batch"), grant_type="client_credentials"
        )

    ask()
    assert statements.during(ask) == []


def test_keys_that_a_client_publishes_need_none_once_they_are_known(
    either_world: World, statements: Counter
) -> None:
    """What an assertion needs with any key: that it is good once."""
    with Host.running() as host:
        party = published(either_world, host, FIRST)
        assert ask_by(either_world, party, FIRST).status_code == 200
    sent = statements.during(lambda: ask_by(either_world, party, FIRST))
    assert len(sent) == 1, sent


def test_userinfo_needs_one(either_world: World, visitor: Visitor, statements: Counter) -> None:
    token = visitor.tokens()["access_token"]
    sent = statements.during(lambda: either_world.userinfo(token))
    assert len(sent) <= 1, sent


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_introspection_needs_one(
    either_world: World, visitor: Visitor, statements: Counter, kind: str
) -> None:
    token = visitor.tokens()[kind]
    headers = either_world.basic("lms")
    sent = statements.during(lambda: either_world.post("/introspect", headers, token=token))
    assert len(sent) <= 1, sent


def test_introspection_of_a_machine_needs_one(either_world: World, statements: Counter) -> None:
    answer = either_world.post(
        "/token", either_world.basic("lms-batch"), grant_type="client_credentials"
    )
    assert answer.json
    token = answer.json["access_token"]
    headers = either_world.basic("payments")
    sent = statements.during(lambda: either_world.post("/introspect", headers, token=token))
    assert len(sent) <= 1, sent


def test_introspection_of_anything_else_needs_one(
    either_world: World, visitor: Visitor, statements: Counter
) -> None:
    headers = either_world.basic("lms")
    sent = statements.during(lambda: either_world.post("/introspect", headers, token="what"))
    assert len(sent) <= 1, sent


@pytest.mark.parametrize("is_rotated", [False, True])
def test_refresh_needs_two(
    either_world: World, visitor: Visitor, statements: Counter, is_rotated: bool
) -> None:
    if is_rotated:
        either_world.run("UPDATE clients SET refresh_token_rotation = true")
        either_world.run("UPDATE catalog_version SET version = version + 1")
        either_world.clock.move(2)
    answer = either_world.refresh(visitor.tokens()["refresh_token"])
    assert answer.json
    token = answer.json["refresh_token"]
    sent = statements.during(lambda: either_world.refresh(token))
    assert len(sent) <= 2, sent


def test_code_exchange_needs_three(
    either_world: World, visitor: Visitor, statements: Counter
) -> None:
    """The first one of a session and a client; each after it needs two."""
    first = visitor.code(client_id="payments")
    sent = statements.during(lambda: either_world.redeem(first, "payments"))
    assert len(sent) <= 3, sent
    second = visitor.code(client_id="payments")
    sent = statements.during(lambda: either_world.redeem(second, "payments"))
    assert len(sent) <= 2, sent


def test_a_proof_of_possession_needs_one_more(either_world: World, statements: Counter) -> None:
    world = either_world
    register_parties(world, APP, KEY_MACHINE)
    ask_machine(world, None)
    by = made(world)
    sent = statements.during(lambda: ask_machine(world, by))
    assert len(sent) <= 1, sent
    code, by = code_for(world, APP), made(world)
    sent = statements.during(lambda: redeem_with(world, APP, code, by))
    assert len(sent) <= 4, sent
    tokens = redeem_with(world, APP, code_for(world, APP), made(world)).json or {}
    token, by = tokens["access_token"], made(world, "/userinfo", "GET", tokens["access_token"])
    sent = statements.during(lambda: bring(world, token, by))
    assert len(sent) <= 2, sent
    by = made(world)
    sent = statements.during(lambda: refresh_with(world, APP, tokens["refresh_token"], by))
    assert len(sent) <= 3, sent


def test_single_sign_on_needs_three(visitor: Visitor, statements: Counter) -> None:
    def ask() -> TestResponse:
        answer = visitor.authorize(prompt="none")
        assert "code=" in answer.headers["Location"]
        return answer

    sent = statements.during(ask, 303)
    assert len(sent) <= 3, sent


def test_an_operators_token_needs_no_more_than_anybody_elses(
    either_world: World, statements: Counter
) -> None:
    register(either_world)
    browser, headers = either_world.browser(), either_world.basic(DESK, secret_of(DESK))
    signed_in(browser)
    statements.sent.clear()
    answer = browser.authorize(DESK, prompt="none", scope=f"openid {NODES}")
    assert len(statements.sent) <= 3, statements.sent
    statements.sent.clear()
    code = sent_back(answer)["code"]
    given = either_world.redeem(code, DESK, secret=secret_of(DESK)).json or {}
    assert len(statements.sent) <= 2, statements.sent
    for token in (given["access_token"], given["refresh_token"]):
        ask = partial(either_world.post, "/introspect", headers, token=token)
        assert len(statements.during(ask)) <= 1, statements.sent
    sent = statements.during(lambda: either_world.userinfo(given["access_token"]))
    assert len(sent) <= 1, sent
    sent = statements.during(lambda: refreshed(either_world, given))
    assert len(sent) <= 2, sent


def test_what_somebody_has_enrolled_is_looked_up_once_for_all_products(
    either_world: World, visitor: Visitor, statements: Counter
) -> None:
    ask = partial(
        either_world.get, "/switcher", Authorization=f"Bearer {visitor.tokens()['access_token']}"
    )

    def lookups() -> list[str]:
        return [each for each in statements.during(ask) if "totp_authenticators" in each]

    assert lookups() == []
    for product in ("lms", "payments", "connections"):
        demand_a_second_factor(either_world, product)
    assert len(lookups()) == 1


def test_the_counter_counts(either_world: World, statements: Counter) -> None:
    """By both ways in, with their BEGIN and COMMIT."""
    with either_world.held.database.transaction() as db:
        db.rows(sa.select(sa.literal_column("1")))
    assert [statement.split()[0] for statement in statements.sent] == ["BEGIN", "SELECT", "COMMIT"]
    statements.sent.clear()
    with either_world.held.database.session() as session:
        session.execute(sa.text("SELECT 1"))
    assert len(statements.sent) >= 2
