"""`auth_time` of somebody who came by another provider (OpenID Connect Core section 2)."""

from __future__ import annotations

from typing import Any

from tests.federation.companies import by_company, leave_by_address, northwinds
from tests.federation.signing_in import returned
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import BEN, PASSWORD, World, claims_of, sent_back

__all__ = ["northwinds"]

HOURS = 10 * 3600.0


def told(world: World, answer: Any) -> set[int]:
    """By all that tells it, and by what is refreshed later."""
    given = world.redeem(sent_back(answer)["code"]).json or {}
    world.clock.move(60)
    later = world.refresh(given["refresh_token"]).json or {}
    tokens = [each[name] for each in (given, later) for name in ("id_token", "access_token")]
    described = world.introspect(later["access_token"])
    return {described["auth_time"], *(claims_of(token)["auth_time"] for token in tokens)}


def test_s3_it_is_when_the_provider_saw_them_where_that_is_told(
    either_world: World, northwinds: UpstreamProvider
):
    northwinds.signed_in_at = either_world.clock() - HOURS
    at = int(northwinds.signed_in_at)
    assert told(either_world, by_company(either_world.browser())) == {at}


def test_s3_and_when_they_came_where_it_is_not(either_world: World, northwinds: UpstreamProvider):
    northwinds.tells_no_time = True
    at = int(either_world.clock())
    assert told(either_world, by_company(either_world.browser())) == {at}


def test_s3_and_when_they_typed_a_password_where_that_is_later(
    either_world: World, northwinds: UpstreamProvider
):
    northwinds.signed_in_at = either_world.clock() - HOURS
    visitor = either_world.browser()
    page = visitor.follow(visitor.authorize("lms"))
    back = visitor.get(returned(leave_by_address(visitor, page))).headers["Location"]
    page = visitor.get("/login/password?attempt=" + back.partition("attempt=")[2])
    either_world.clock.move(30)
    at = int(either_world.clock())
    answer = visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    assert told(either_world, answer) == {at}
