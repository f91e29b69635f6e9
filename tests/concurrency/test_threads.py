"""The same within one process, whose threads interrupt each other as often as they can."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.concurrency.conftest import ROTATING, furnish, redirect_to
from tests.concurrency.test_volleys import BUSY
from tests.storage.crew import threads_at_once
from tests.world import AMARA, PASSWORD, VERIFIER, World

AT_ONCE = 24
TIMES = 4


@pytest.fixture
def restless(either_world: World) -> Iterator[World]:
    furnish(either_world.held)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield either_world
    sys.setswitchinterval(usual)


def statuses(answers: list[TestResponse]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_of_many_threads_one_redeems_a_code(restless: World) -> None:
    for _ in range(TIMES):
        code = restless.browser().code()
        answers = threads_at_once(lambda number, code=code: restless.redeem(code), AT_ONCE)  # type: ignore[misc]
        assert statuses(answers) == {200: 1, 400: AT_ONCE - 1}


def test_of_many_threads_one_rotates_a_strict_client_s_token(restless: World) -> None:
    for _ in range(TIMES):
        code = restless.browser().code(client_id=ROTATING, **redirect_to(ROTATING))
        given = restless.post(
            "/token",
            restless.basic(ROTATING),
            grant_type="authorization_code",
            code=code,
            code_verifier=VERIFIER,
            **redirect_to(ROTATING),
        )
        token = (given.json or {})["refresh_token"]
        answers = threads_at_once(
            lambda number, token=token: restless.refresh(token, ROTATING),  # type: ignore[misc]
            AT_ONCE,
        )
        assert statuses(answers) == {200: 1, 400: AT_ONCE - 1}


def test_of_many_threads_five_are_evaluated(restless: World) -> None:
    hasher = restless.held.hasher

    def guess(number: int) -> TestResponse:
        visitor = restless.browser()
        page = visitor.follow(visitor.authorize())
        return visitor.submit(page, email=AMARA, password=f"wrong-{number}")

    answers = threads_at_once(guess, AT_ONCE)
    told = statuses(answers)
    assert set(told) <= {400, BUSY}
    assert hasher.verifications == 5
    assert Counter(event["reason"] for event in restless.audit("sign_in.failed")) == {
        "wrong password": 5,
        **({"paused": told[400] - 5} if told[400] > 5 else {}),
    }
    assert len(restless.audit("sign_in.locked")) == 1
    assert restless.run("SELECT count(*) FROM outbox WHERE kind = 'mail'") == [(1,)]
    assert restless.browser().sign_in(AMARA, PASSWORD).status_code == 400
