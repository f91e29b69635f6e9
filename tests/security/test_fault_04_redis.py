"""R4: Redis may go, hang, fill up, be emptied or come back as it once was. People sign in all the
same, and nothing that was spent is good again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
import redis
from werkzeug.test import TestResponse

from tests.flows.test_passkey_sign_in import Device
from tests.machine.redis_faults import AWAY
from tests.machine.redis_server import RedisServer
from tests.security.browsing import ASSERTION_TYPE, reopened
from tests.security.protocol import SIGNING, assertion, register
from tests.security.proving_possession import MACHINE, ask_machine, made
from tests.security.test_sec_29_pushed_requests import PUSHING, bring, named
from tests.world import AMARA, PASSWORD, World, sent_back

Again = Callable[[], TestResponse]


@pytest.fixture
def beside(world: World, own_redis: RedisServer) -> Iterator[World]:
    """With half-finished sign-ins in a Redis of its own."""
    made = reopened(world, replace(world.settings, redis_url=own_redis.url))
    yield made
    made.held.database.close()


@pytest.mark.parametrize("fault", AWAY)
def test_fault_04_whatever_redis_does_people_sign_in_and_products_go_on(
    fault: str, beside: World, own_redis: RedisServer
) -> None:
    browser = beside.browser()
    given, code = browser.tokens(), browser.code()
    half = beside.browser()
    page = half.follow(half.authorize())
    with AWAY[fault](own_redis):
        over = half.submit(page, email=AMARA, password=PASSWORD)
        assert over.status_code == 303 or "attempt_over" in over.text
        assert "code" in sent_back(half.sign_in())
        assert beside.redeem(code).status_code == 200
        assert beside.refresh(given["refresh_token"]).status_code == 200
        assert beside.userinfo(given["access_token"]).status_code == 200
        assert "code" in sent_back(browser.authorize(prompt="none"))
        begun = beside.browser()
        begun_page = begun.follow(begun.authorize())
    after = begun.submit(begun_page, email=AMARA, password=PASSWORD)
    assert "code" in sent_back(begun.follow(after))
    assert "code" in sent_back(beside.browser().sign_in())


def a_sign_in(world: World) -> Again:
    browser = world.browser()
    page = browser.follow(browser.authorize())
    proven = browser.submit(page, email=AMARA, password=PASSWORD)
    return lambda: browser.get(proven.headers["Location"])


def a_pushed_request(world: World) -> Again:
    browser = world.browser()
    browser.sign_in()
    return partial(bring, browser, PUSHING, named(world, PUSHING))


def a_passkey(world: World) -> Again:
    device = Device(world)
    page = device.open()
    answer = device.passkey.get(device.asked(page))
    return lambda: device.browser.submit(page, "/login/passkey", passkey=answer)


def a_proof(world: World) -> Again:
    return partial(ask_machine, world, made(world))


def an_assertion(world: World) -> Again:
    claim = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion(world, SIGNING)}
    return lambda: world.post("/token", None, grant_type="client_credentials", **claim)


def a_code(world: World) -> Again:
    return partial(world.redeem, world.browser().code())


def is_good(answer: TestResponse) -> bool:
    return answer.status_code in (200, 303) and "error=" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "act", [a_sign_in, a_pushed_request, a_passkey, a_proof, an_assertion, a_code]
)
def test_fault_04_a_redis_that_is_emptied_or_is_as_it_was_makes_nothing_good_again(
    act: Callable[[World], Again], beside: World, own_redis: RedisServer
) -> None:
    register(beside, PUSHING, MACHINE, SIGNING)
    with redis.Redis.from_url(own_redis.url) as client:
        begin = act(beside)
        before = {key: client.dump(key) for key in client.scan_iter()}
        assert is_good(begin())
        client.flushall()
        assert not is_good(begin())
        for key, value in before.items():
            client.restore(key, 60_000, value, replace=True)
        assert not is_good(begin())


def test_fault_04_what_somebody_writes_into_redis_proves_nothing(
    beside: World, own_redis: RedisServer
) -> None:
    """A value is sealed under its own name."""
    mine, theirs = beside.browser(), beside.browser()
    begun = mine.authorize().headers["Location"]
    with redis.Redis.from_url(own_redis.url) as client:
        [own_key] = client.keys("*attempt:*")
        page = theirs.follow(theirs.authorize())
        theirs.submit(page, email=AMARA, password=PASSWORD)
        values = [client.get(key) for key in client.keys("*attempt:*") if key != own_key]
        assert len(values) == 2
        for value in (*values, b"", b"[9e9]", b'[9e9,""]', b'[9e9,"x 9e9 x"]', b"\xff"):
            client.set(own_key, value)
            answer = mine.get(begun)
            assert answer.status_code == 400, (value, answer.status)
            assert "attempt_over" in answer.text


def test_fault_04_nobody_makes_what_is_in_redis_live_longer(
    beside: World, own_redis: RedisServer
) -> None:
    browser = beside.browser()
    begun = browser.authorize().headers["Location"]
    with redis.Redis.from_url(own_redis.url) as client:
        [key] = client.keys("*attempt:*")
        _, value = json.loads(client.get(key))
        client.set(key, json.dumps([9e9, value]))
        assert browser.get(begun).status_code == 200
        beside.clock.move(beside.settings.attempt_lifetime)
        assert browser.get(begun).status_code == 400
