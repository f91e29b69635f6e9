"""R12: another provider that is down, slow, or talks nonsense holds up nobody but who asked it, and
signs nobody in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.federation.upstream import Patience
from idp.settings import UPSTREAM_THREADS
from idp.turns import AT_ONCE
from tests.federation.known import known_to
from tests.federation.signing_in import RETURN, come_back, leave, link, returned, sent_to, sign_in
from tests.machine.upstream.faults import Fault, faults_of
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, BEN, Visitor, World, sent_back

AWAY = "reach that provider at the moment"
PATIENT = 30.0  # seconds: of four, however busy the machine
LONG, FOR_EVER = 30.0, 90.0  # seconds: one outlasts any busy machine, the other that
LEADS_AWAY = {  # what a browser may be sent to; of ours, `outgoing` says where we go
    *(Fault.DISCOVERY_ENDPOINTS_ELSEWHERE, Fault.DISCOVERY_ENDPOINTS_INSIDE),
    Fault.DISCOVERY_ENDPOINTS_WITHOUT_TLS,  # as here, where the issuer has none either
}
BEFORE_LEAVING = [f for f in faults_of("discovery") if f not in LEADS_AWAY]
AFTER = [*faults_of("token"), *faults_of("jwks"), Fault.ID_TOKEN_MISSING]


@pytest.fixture
def upstream(world: World) -> Iterator[UpstreamProvider]:
    with known_to(world) as started:
        yield started


@pytest.fixture
def visitor(world: World, upstream: UpstreamProvider) -> Visitor:
    return world.browser()


@pytest.mark.parametrize("fault", BEFORE_LEAVING)
def test_fault_12_metadata_that_is_not_sound_leads_nowhere(
    upstream: UpstreamProvider, visitor: Visitor, fault: Fault
):
    upstream.fault, started = fault, time.monotonic()
    page = leave(visitor, visitor.follow(visitor.authorize("lms")))
    assert page.status_code == 503, fault
    assert page.headers["Retry-After"]
    assert AWAY in page.text
    assert 'name="password"' in page.text
    assert time.monotonic() - started < PATIENT


@pytest.mark.parametrize("fault", sorted(LEADS_AWAY))
def test_fault_12_where_it_leads_us_we_do_not_go_inside_and_nobody_is_signed_in(
    world: World, upstream: UpstreamProvider, visitor: Visitor, fault: Fault
):
    upstream.fault = fault
    left = leave(visitor, visitor.follow(visitor.authorize("lms")))
    [state] = set(re.findall(r"state=([\w-]+)", left.headers.get("Location", "") + left.text))
    answer = urlencode({"code": "made-up", "state": state, "iss": upstream.issuer})
    page = visitor.get(f"{RETURN}?{answer}")
    assert page.status_code == 503, fault
    assert page.headers["Retry-After"]
    assert AWAY in page.text
    assert world.run("SELECT count(*) FROM sessions") == [(0,)]
    assert upstream.asked["token"] == 0
    reason = world.audit("sign_in.federated_refused")[-1]["reason"]
    assert ("NotAllowed" in reason) == (fault is Fault.DISCOVERY_ENDPOINTS_INSIDE)


@pytest.mark.parametrize("fault", AFTER)
def test_fault_12_whatever_the_exchange_comes_to_nobody_is_signed_in(
    world: World, upstream: UpstreamProvider, visitor: Visitor, fault: Fault
):
    left = leave(visitor, visitor.follow(visitor.authorize("lms")))
    upstream.fault = fault
    page = come_back(visitor, left)
    assert page.status_code == 503, fault
    assert page.headers["Retry-After"]
    assert AWAY in page.text
    assert world.run("SELECT count(*) FROM sessions") == [(0,)]


def test_fault_12_while_it_is_down_passwords_work_and_the_page_says_what_happened(
    world: World, upstream: UpstreamProvider, visitor: Visitor
):
    upstream.down()
    page = leave(visitor, visitor.follow(visitor.authorize("lms")))
    assert AWAY in page.text
    answer = visitor.follow(visitor.submit(page, "/login/password", email=AMARA, password=""))
    assert answer.status_code == 400
    assert "code" in sent_back(visitor.sign_in(AMARA))


@pytest.mark.parametrize("fault", [Fault.DISCOVERY_HANGS, Fault.TOKEN_DRIPS])
def test_fault_12_while_many_wait_for_it_passwords_work(
    world: World, upstream: UpstreamProvider, monkeypatch: pytest.MonkeyPatch, fault: Fault
):
    """With threads as a process of ours has them, where who waits for it does so to the end."""
    monkeypatch.setattr(Patience.__init__, "__defaults__", (FOR_EVER,))
    going = [on_the_way(world, fault) for _ in range(2 * world.settings.threads)]
    upstream.fault, before = fault, upstream.asked[fault.part]
    with ThreadPoolExecutor(world.settings.threads) as threads:
        waiting = [threads.submit(go) for go in going]
        signing_in = [threads.submit(world.browser().sign_in, each) for each in (AMARA, BEN)]
        try:
            assert all("code" in sent_back(each.result(LONG)) for each in signing_in)
            assert sum(not each.done() for each in waiting) >= AT_ONCE
        finally:
            upstream.down()
    assert {each.result().status_code for each in waiting} == {503}
    assert AT_ONCE <= upstream.asked[fault.part] - before <= UPSTREAM_THREADS


def on_the_way(world: World, fault: Fault) -> Callable[[], Any]:
    """Somebody's next step, which asks what has the fault."""
    visitor = world.browser()
    page = visitor.follow(visitor.authorize("lms"))
    if fault.part == "discovery":
        return lambda: leave(visitor, page)
    address = returned(leave(visitor, page))
    return lambda: visitor.get(address)


def test_fault_12_who_did_not_answer_is_not_asked_again_at_once(
    world: World, upstream: UpstreamProvider, visitor: Visitor
):
    upstream.fault = Fault.DISCOVERY_CLOSES
    page = visitor.follow(visitor.authorize("lms"))
    for _ in range(5):
        assert AWAY in leave(visitor, page).text
    assert upstream.asked["discovery"] == 1
    upstream.fault = None
    world.clock.move(11)
    assert sent_to(leave(visitor, page))


def test_fault_12_rotated_keys_are_fetched_once_and_an_unknown_one_once_a_minute(
    world: World, upstream: UpstreamProvider, visitor: Visitor
):
    link(world.browser(), AMARA)
    assert upstream.asked["jwks"] == 1
    world.clock.move(61)
    upstream.rotate()
    assert "code" in sent_back(sign_in(visitor))
    assert upstream.asked["jwks"] == 2
    upstream.fault = Fault.KID_UNKNOWN
    for _ in range(3):
        sign_in(world.browser())
    assert upstream.asked["jwks"] == 2
    world.clock.move(61)
    sign_in(world.browser())
    assert upstream.asked["jwks"] == 3
