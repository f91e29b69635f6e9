"""S05, S06: a code is spent once, by one, and using it again kills what it gave."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from tests.security.protocol import (
    KEEPING,
    SPA,
    asked_by,
    code_for,
    is_active,
    is_refused,
    redeem,
    refresh,
    register,
    statuses,
    together,
)
from tests.world import World, sent_back


def test_sec_05_a_code_used_twice_ends_all_that_it_gave(either_world: World):
    world = either_world
    register(world, KEEPING)
    code = code_for(world, KEEPING)
    first = redeem(world, KEEPING, code).json
    assert first
    assert is_active(world, first["access_token"])
    assert is_refused(redeem(world, KEEPING, code), "invalid_grant")
    assert not is_active(world, first["access_token"])
    assert is_refused(refresh(world, KEEPING, first["refresh_token"]), "invalid_grant")
    assert [event["client"] for event in world.audit("code.replayed")] == ["keeping"]


def test_sec_05_it_ends_what_was_refreshed_since(world: World):
    register(world, SPA)
    code = code_for(world, SPA)
    first = redeem(world, SPA, code).json
    assert first
    second = refresh(world, SPA, first["refresh_token"]).json
    assert second
    assert is_refused(redeem(world, SPA, code), "invalid_grant")
    assert not is_active(world, second["access_token"])
    assert is_refused(refresh(world, SPA, second["refresh_token"]), "invalid_grant")


def test_sec_05_a_code_is_recognised_long_after_it_has_expired(world: World):
    register(world, KEEPING)
    code = code_for(world, KEEPING)
    first = redeem(world, KEEPING, code).json
    assert first
    world.clock.move(500)
    assert is_refused(redeem(world, KEEPING, code), "invalid_grant")
    assert not is_active(world, first["access_token"])


def test_sec_05_whoever_can_not_prove_to_be_the_client_ends_nothing(world: World):
    """A stolen code that was used already is no means to sign its owner out."""
    register(world, KEEPING, SPA)
    code = code_for(world, KEEPING)
    first = redeem(world, KEEPING, code).json
    assert first
    thief = world.post("/token", client_id="keeping", grant_type="authorization_code", code=code)
    assert is_refused(thief, "invalid_client", 401)
    assert is_refused(redeem(world, SPA, code), "invalid_grant")
    assert is_refused(redeem(world, KEEPING, code, code_verifier="w" * 64), "invalid_grant")
    assert is_active(world, first["access_token"])


def test_sec_05_the_same_request_gives_another_code_each_time(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    visitor.sign_in()
    path = "/authorize?" + urlencode(asked_by(KEEPING))
    codes = {sent_back(visitor.get(path))["code"] for _ in range(5)}
    assert len(codes) == 5
    assert min(map(len, codes)) >= 43


def redeem_again(world: World, code: str, _: int) -> Any:
    return redeem(world, KEEPING, code)


def test_sec_06_of_many_who_redeem_a_code_at_once_one_does(either_world: World):
    world = either_world
    register(world, KEEPING)
    for _ in range(3):
        answers = together(16, partial(redeem_again, world, code_for(world, KEEPING)))
        assert statuses(answers) == [200] + [400] * 15
        given = [answer.json["access_token"] for answer in answers if answer.status_code == 200]
        assert not is_active(world, given[0])
    assert world.run("SELECT count(*) FROM grants WHERE ended_at IS NULL") == [(0,)]


def test_sec_06_many_codes_at_once_are_each_redeemed(either_world: World):
    """The races above are lost to the same code, and not to a busy store."""
    world = either_world
    register(world, KEEPING)
    codes = [code_for(world, KEEPING) for _ in range(8)]
    assert statuses(together(8, lambda n: redeem(world, KEEPING, codes[n]))) == [200] * 8
