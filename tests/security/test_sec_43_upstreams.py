"""S43: a network that is sent away to other providers, or comes back, too often is told to wait
before anybody is asked and anything is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from idp.audit import Origin
from idp.credentials import tries
from tests.federation.known import known_to
from tests.federation.signing_in import RETURN, come_back, leave, returned
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.test_sec_43_networks import tight
from tests.world import Visitor, World

HERE = ""  # where visitors of tests come from
LEAST = 10  # tries that a network can be left with
MOST = tries.QUESTIONS * LEAST


@pytest.fixture
def small(world: World) -> World:
    return tight(world, tries_per_network=LEAST)


@pytest.fixture
def upstream(small: World) -> Iterator[UpstreamProvider]:
    with known_to(small) as started:
        yield started


@pytest.fixture
def visitor(small: World, upstream: UpstreamProvider) -> Visitor:
    return small.browser()


def use_up(small: World, but: int = 0) -> None:
    held = small.held
    for _ in range(MOST - but):
        tries.count_question(held.ephemeral, held.settings, small.clock(), Origin(HERE))


def test_sec_43_leaving_too_often_asks_nobody(
    small: World, upstream: UpstreamProvider, visitor: Visitor
) -> None:
    page = visitor.follow(visitor.authorize("lms"))
    use_up(small)
    answer = leave(visitor, page)
    assert answer.status_code == 429
    assert "Wait ten minutes" in answer.text
    assert upstream.asked["discovery"] == 0
    small.clock.move(tries.WINDOW)
    assert returned(leave(visitor, page))


def test_sec_43_coming_back_too_often_asks_nobody_and_leaves_no_line(
    small: World, upstream: UpstreamProvider, visitor: Visitor
) -> None:
    back = returned(leave(visitor, visitor.follow(visitor.authorize("lms"))))
    lines = len(small.audit())
    use_up(small, but=1)
    for address in (back, RETURN, back.replace("code=", "error="), "/login/upstream/no/return"):
        assert visitor.get(address).status_code == 429
    assert upstream.asked["token"] == 0
    assert len(small.audit()) == lines


def test_sec_43_each_leaving_and_each_coming_back_counts(small: World, visitor: Visitor) -> None:
    other = small.browser()
    page, others = (each.follow(each.authorize("lms")) for each in (visitor, other))
    use_up(small, but=3)
    assert "Prove once" in come_back(visitor, leave(visitor, page)).text
    assert returned(leave(other, others))
    assert leave(other, others).status_code == 429
