"""S84: who did what, for whom, when, from where and how it ended; added to and never changed."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from idp import audit_inspection
from idp.audit import TAGS, Origin
from idp.errors import StoreUnavailable
from idp.sessions import logout
from tests.console.administering import with_roles
from tests.console.calling import person, platforms_machine, tenants_machine
from tests.console.operations import operator, send
from tests.world import AMARA, OLU, PASSWORD, PRIYA, START, VICTOR, Visitor, World

Deed = Callable[[World, Visitor], object]


def sign_in(_world: World, visitor: Visitor) -> None:
    visitor.tokens()


def fail(_world: World, visitor: Visitor) -> None:
    visitor.sign_in(password="wrong")


def fail_as_nobody(_world: World, visitor: Visitor) -> None:
    visitor.sign_in(email="nobody@nowhere.example", password="wrong")


def fail_as_disabled(_world: World, visitor: Visitor) -> None:
    visitor.sign_in(email=VICTOR, password=PASSWORD)


def be_locked_out(_world: World, visitor: Visitor) -> None:
    for _ in range(6):
        visitor.sign_in(password="wrong")


def replay_a_code(world: World, visitor: Visitor) -> None:
    code = visitor.code()
    assert [world.redeem(code).status_code for _ in range(3)] == [200, 400, 400]


def revoke(world: World, visitor: Visitor) -> None:
    token = visitor.tokens(scope="openid offline_access")["refresh_token"]
    for _ in range(2):
        world.post("/revoke", world.basic("lms"), token=token)


def send_a_wrong_secret(world: World, _visitor: Visitor) -> None:
    world.post("/token", world.basic("lms", "wrong"), grant_type="client_credentials")


def sign_out(world: World, visitor: Visitor) -> None:
    visitor.tokens()
    [(session_id,)] = world.run("SELECT id FROM sessions WHERE ended_at IS NULL")
    with world.held.database.transaction() as db:
        for _ in range(2):
            logout.end(db, session_id, "asked", world.clock(), ORIGIN)


ADDRESS = "198.51.100.4"
ORIGIN = Origin(ADDRESS, "the-request")
DEEDS: dict[str, tuple[Deed, dict[str, int]]] = {
    "a sign-in": (sign_in, {"sign_in.succeeded": 1}),
    "a wrong password": (fail, {"sign_in.failed": 1}),
    "an unknown address": (fail_as_nobody, {"sign_in.failed": 1}),
    "a disabled person": (fail_as_disabled, {"sign_in.failed": 1}),
    "a lock": (be_locked_out, {"sign_in.failed": 6, "sign_in.locked": 1}),
    "a code used again": (replay_a_code, {"sign_in.succeeded": 1, "code.replayed": 1}),
    "a revocation": (revoke, {"sign_in.succeeded": 1, "token.revoked": 1}),
    "a wrong client secret": (send_a_wrong_secret, {"client.refused": 1}),
    "a sign-out": (sign_out, {"sign_in.succeeded": 1, "session.ended": 1}),
}


@pytest.fixture
def placed(either_world: World) -> World:
    """Every request comes from `ADDRESS`."""
    app = either_world.app
    either_world.app = lambda environ, start: app({**environ, "REMOTE_ADDR": ADDRESS}, start)
    return either_world


def told_since(world: World, at: float) -> list[Any]:
    rows = world.run(
        "SELECT tag, at, actor_id, client_id, address, request_id FROM audit_events"
        " WHERE tag <> 'audit.chain_started' AND at > :at ORDER BY id",
        at=at,
    )
    return list(rows)


@pytest.mark.parametrize("deed", DEEDS)
def test_sec_84_each_deed_is_told_once_with_who_when_and_from_where(
    placed: World, deed: str
) -> None:
    placed.clock.move(100)
    do, expected = DEEDS[deed]
    do(placed, placed.browser())
    told = told_since(placed, START)
    assert Counter(row[0] for row in told) == expected
    for tag, at, actor, client, address, request_id in told:
        assert (at, address) == (START + 100, ADDRESS)
        assert request_id
        assert actor or deed == "an unknown address" or tag in ("token.revoked", "client.refused")
        assert client == "lms" or tag.startswith(("sign_in.", "session."))


def test_sec_84_a_day_of_many_deeds_leaves_every_chain_whole(placed: World) -> None:
    for do, _ in DEEDS.values():
        placed.clock.move(7200)
        placed.run("UPDATE sessions SET ended_at = 0")
        do(placed, placed.browser())
    reports = list(audit_inspection.inspect_all(placed.held.database))
    assert len(reports) > 1
    assert [fault for report in reports for fault in report.faults] == []


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET tag = tag", "DELETE FROM audit_events"]
)
def test_sec_84_nobody_changes_the_log(placed: World, statement: str) -> None:
    fail(placed, placed.browser())
    before = placed.run("SELECT * FROM audit_events ORDER BY id")
    with pytest.raises(sa.exc.DBAPIError, match="can only be added to"):
        placed.run(statement)
    assert placed.run("SELECT * FROM audit_events ORDER BY id") == before


@pytest.mark.parametrize("deed", DEEDS)
def test_sec_84_what_can_not_be_told_is_not_done(placed: World, deed: str) -> None:
    """The log's own table is away: the answer is a failure, and nothing has happened."""
    visitor, do = placed.browser(), DEEDS[deed][0]
    before = told_since(placed, 0)
    placed.run("ALTER TABLE audit_chains RENAME TO away")
    with contextlib.suppress(AssertionError, KeyError, StoreUnavailable, psycopg.Error, ValueError):
        do(placed, visitor)
    assert placed.run("SELECT 1 FROM sessions") == placed.run("SELECT 1 FROM grants") == []
    placed.run("ALTER TABLE away RENAME TO audit_chains")
    assert told_since(placed, 0) == before


def test_sec_84_every_tag_says_in_a_sentence_what_happened() -> None:
    for tag, sentence in TAGS.items():
        assert tag.count(".") == 1
        assert sentence.endswith(".")


def refusals_told(world: World) -> list[tuple[Any, ...]]:
    return list(
        world.run(
            "SELECT u.email, t.slug, e.client_id, e.detail FROM audit_events e"
            " LEFT JOIN users u ON u.id = e.actor_id LEFT JOIN tenants t ON t.id = e.tenant_id"
            " WHERE e.tag = 'console.refused' ORDER BY e.id"
        )
    )


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/manage/harbor/people", "/manage/<tenant>/people"),
        ("/manage/nowhere/people", "/manage/<tenant>/people"),
        ("/operate/tenants", "/operate/tenants"),
    ],
)
def test_sec_84_whoever_tries_another_companys_console_is_told_of_in_their_own_log(
    placed: World, path: str, pattern: str
) -> None:
    browser = placed.browser()
    browser.code(AMARA)
    assert browser.get(path).status_code == 404
    [(email, slug, client, detail)] = refusals_told(placed)
    assert (email, slug, client) == (AMARA, "northwind", None)
    assert {"method": "GET", "path": pattern}.items() <= json.loads(detail).items()


def test_sec_84_a_refused_program_is_told_of_by_its_name(placed: World) -> None:
    caller = tenants_machine(placed, "northwind")
    assert caller.get("/tenants/harbor/people").status_code == 404
    [(email, slug, client, detail)] = refusals_told(placed)
    assert (email, slug, client) == (None, "northwind", "northwind-all")
    assert json.loads(detail)["path"] == "/api/v1/tenants/<tenant>/people"


def test_sec_84_a_flood_of_refusals_writes_twenty_a_minute(either_world: World) -> None:
    browser = either_world.browser()
    browser.code(AMARA)
    for _ in range(25):
        assert browser.get("/manage/harbor/people").status_code == 404
    told = refusals_told(either_world)
    assert len(told) == 20
    reasons = [json.loads(row[3])["reason"] for row in told]
    assert reasons[-1] == "more of this minute are in the log"
    either_world.clock.move(61)
    browser.get("/manage/harbor/people")
    assert len(refusals_told(either_world)) == 21


def test_sec_84_nobody_is_told_of_who_is_not_known_or_only_mistaken(either_world: World) -> None:
    assert either_world.get("/manage/harbor/people").status_code == 303
    assert either_world.get("/api/v1/tenants/harbor/people").status_code == 401
    browser = either_world.browser()
    browser.enter("/manage/northwind")
    browser.get("/manage/northwind/nothing-here")
    assert refusals_told(either_world) == []


def test_sec_84_whoever_lacks_a_right_is_told_of_where_they_lack_it(either_world: World) -> None:
    """Not in the company that their browser has been at last."""
    with_roles(either_world, PRIYA, {"reader": {"permissions": {"console": ["people.read"]}}})
    browser = either_world.browser()
    browser.tokens(PRIYA, tenant="harbor")
    assert browser.get("/manage/northwind/people").status_code == 200
    assert browser.get("/manage/northwind/audit").status_code == 403
    [(email, slug, client, detail)] = refusals_told(either_world)
    assert (email, slug, client) == (PRIYA, "northwind", None)
    assert json.loads(detail)["reason"] == "audit.read is missing"


def test_sec_84_a_program_at_the_wrong_console_is_told_of(either_world: World) -> None:
    caller = tenants_machine(either_world, "northwind")
    assert platforms_machine(either_world).get("/tenants/northwind/people").status_code == 401
    assert refusals_told(either_world) == []
    assert person(either_world).get("/tenants/harbor/people").status_code == 404
    assert caller.get("/tenants/northwind/people/nobody").status_code == 404
    told = [row[:3] for row in refusals_told(either_world)]
    assert told == [(AMARA, "northwind", "console-app"), (None, "northwind", "northwind-all")]


def test_sec_84_an_operator_is_told_of_in_the_platforms_log(either_world: World) -> None:
    """At their own pages and on a visit, whatever company they were at before."""
    browser = operator(either_world)
    either_world.run(
        "UPDATE sessions SET tenant_id = (SELECT id FROM tenants WHERE slug = 'harbor')"
    )
    assert browser.get("/operate/tenants/nowhere").status_code == 404
    send(browser, "/operate/tenants/northwind/visit", minutes="15", reason="Their admin is away")
    assert browser.get("/manage/northwind/people/nobody").status_code == 404
    assert [row[:3] for row in refusals_told(either_world)] == [(OLU, None, None)] * 2
