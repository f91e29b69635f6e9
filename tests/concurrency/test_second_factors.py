"""One code of an app, one that was sent, one recovery code: of many at once one is right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.concurrency.conftest import Town
from tests.concurrency.test_volleys import cookies_of
from tests.concurrency.volley import Answer, form
from tests.credentials.proving import code_of, confirm, enrol_code, new_codes, newest_code, offered
from tests.security.second_factors import demand_a_second_factor
from tests.world import DANA, World

AT_ONCE = 20
Form = Callable[..., bytes]


@pytest.fixture
def strict(town: Town) -> Iterator[Town]:
    """Secure Payments demands a second factor of Dana, who begins without one."""
    forget(town.world)
    demand_a_second_factor(town.world)
    yield town
    town.world.run("UPDATE products SET second_factor = false WHERE key = 'payments'")
    forget(town.world)


def forget(world: World) -> None:
    for table in ("totp_authenticators", "sent_code_factors", "sent_codes", "recovery_sets"):
        world.run(f"DELETE FROM {table}")
    world.run("DELETE FROM attempt_limits")


def at_the_step(town: Town, method: str) -> Form:
    """The form of one more browser whose password is proven."""
    visitor = town.world.browser()
    shown = visitor.sign_in(DANA, client_id="payments")
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
    fields = {**hidden, "method": method}
    return lambda **sent: form("/login/second_factor", cookies_of(visitor), **{**fields, **sent})


def enrol_app(world: World) -> str:
    """Its secret; no step was used yet."""
    secret = offered(world, DANA).secret
    confirm(world, code_of(secret, world.clock()), DANA)
    world.run("UPDATE totp_authenticators SET last_step = 0")
    return secret


def told(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def failures(town: Town) -> Counter[str]:
    return Counter(event["reason"] for event in town.world.audit("second_factor.failed"))


def test_sec_49_of_20_browsers_that_send_one_code_of_the_app_one_gets_on(strict: Town) -> None:
    secret = enrol_app(strict.world)
    guesses = [at_the_step(strict, "totp") for _ in range(AT_ONCE)]
    before = failures(strict)
    code = code_of(secret, strict.world.clock())
    answers = strict.fire(*[guess(code=code) for guess in guesses])
    assert told(answers) == {303: 1, 400: AT_ONCE - 1}
    assert failures(strict) - before == {"wrong code": 5, "paused": AT_ONCE - 6}


def test_sec_53_of_20_browsers_that_send_one_recovery_code_one_gets_on(strict: Town) -> None:
    enrol_app(strict.world)
    code = new_codes(strict.world, DANA)[0]
    guesses = [at_the_step(strict, "recovery") for _ in range(AT_ONCE)]
    before = len(strict.world.audit("recovery_codes.used"))
    assert told(strict.fire(*[guess(code=code) for guess in guesses])) == {303: 1, 400: AT_ONCE - 1}
    assert len(strict.world.audit("recovery_codes.used")) == before + 1


def test_sec_51_of_20_uses_of_one_code_that_was_sent_one_gets_on(strict: Town) -> None:
    """It is bound to one browser's attempt, which goes on under another id."""
    enrol_code(strict.world, "email", DANA)
    strict.world.run("DELETE FROM attempt_limits")
    guess = at_the_step(strict, "email")
    [sending] = strict.fire(guess(action="send"))
    assert sending.status == 303
    code = newest_code(strict.world)
    answers = strict.fire(*[guess(code=code)] * AT_ONCE)
    assert told(answers)[303] == 1
    assert set(told(answers)) == {303, 400}


def test_sec_50_of_100_guesses_at_once_five_are_evaluated(strict: Town) -> None:
    enrol_app(strict.world)
    guesses = [at_the_step(strict, "totp") for _ in range(10)]
    before = failures(strict)
    wrong = "12345"  # is never one
    answers = [a for _ in range(10) for a in strict.fire(*[guess(code=wrong) for guess in guesses])]
    assert told(answers) == {400: 100}
    assert failures(strict) - before == {"wrong code": 5, "paused": 95}
