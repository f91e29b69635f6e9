"""S51: a code that was sent is bound to everything that it was sent for, and good once (M10)."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable

import pytest

from idp.credentials.second_factor_tries import MISSING, PAUSED, WRONG, SecondFactorRefused
from idp.credentials.sent_code import ENROL, SIGN_IN, Place
from tests.console.people_of import letters
from tests.credentials.proving import (
    PHONE,
    another_code,
    answer,
    enrol_code,
    factors_of,
    newest_code,
    place,
    refused,
    send,
    sent,
    user_id,
)
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, World

CHANNELS = ("sms", "email")
AT_ONCE = 20


@pytest.mark.parametrize("channel", CHANNELS)
def test_m10_six_digits_are_good_for_five_minutes_and_once(
    either_world: World, channel: str
) -> None:
    there = enrol_code(either_world, channel)
    send(either_world, there)
    letter = sent(either_world)[-1]
    assert letter["to"] == (PHONE if channel == "sms" else AMARA)
    assert len(letter["code"]) == 6
    assert letter["code"].isdecimal()
    either_world.clock.move(299)
    assert answer(either_world, there, letter["code"]).method == channel
    assert refused(answer, either_world, there, letter["code"]) == WRONG


def test_sec_51_a_code_is_over_after_five_minutes(either_world: World) -> None:
    there = enrol_code(either_world, "sms")
    send(either_world, there)
    either_world.clock.move(300)
    assert refused(answer, either_world, there, newest_code(either_world)) == WRONG


BROKEN: dict[str, Callable[[World, Place], Place]] = {
    "browser": lambda world, at: at._replace(binding="another attempt"),
    "person": lambda world, at: at._replace(user_id=user_id(world, BEN)),
    "channel": lambda world, at: at._replace(channel="email"),
    "purpose": lambda world, at: at._replace(purpose=ENROL),
}


@pytest.mark.parametrize("name", BROKEN)
def test_sec_51_a_code_is_bound_to_each_of_these_alone(either_world: World, name: str) -> None:
    for email in (AMARA, BEN):
        enrol_code(either_world, "email", email)
        there = enrol_code(either_world, "sms", email)
    there = place(either_world, "sms")
    either_world.clock.move(600)
    send(either_world, there)
    code = newest_code(either_world)
    elsewhere = BROKEN[name](either_world, there)
    assert refused(answer, either_world, elsewhere, code) == WRONG
    send(either_world, elsewhere)  # a code is waiting there too
    assert (
        newest_code(either_world) == code or refused(answer, either_world, elsewhere, code) == WRONG
    )
    assert answer(either_world, there, code)


def test_sec_51_a_code_that_was_sent_to_the_old_number_is_dead(either_world: World) -> None:
    there = enrol_code(either_world, "sms")
    send(either_world, there)
    code = newest_code(either_world)
    either_world.clock.move(60)
    enrol_code(either_world, "sms", number="+12015550199")
    assert refused(answer, either_world, there, code) == WRONG


def test_sec_51_another_number_is_another_authenticator(either_world: World) -> None:
    enrol_code(either_world, "sms")
    (first,) = factors_of(either_world)
    enrol_code(either_world, "sms", number="+12015550199")
    (second,) = factors_of(either_world)
    assert first.id != second.id
    assert first.enrolled_at < second.enrolled_at
    assert (first.label, second.label) == ("••••23", "••••99")
    assert [letter["template"] for letter in letters(either_world)] == ["factor/enrolled"] * 2


def test_sec_51_a_number_counts_for_nothing_before_its_code_came_back(world: World) -> None:
    there = place(world, "sms", ENROL)
    send(world, there, PHONE)
    assert refused(answer, world, there, another_code(newest_code(world))) == WRONG
    assert factors_of(world) == []
    at_sign_in = there._replace(purpose=SIGN_IN)
    assert refused(answer, world, at_sign_in, newest_code(world)) == MISSING
    assert answer(world, there, newest_code(world))
    assert [factor.method for factor in factors_of(world)] == ["sms"]


def test_sec_51_a_number_that_is_exchanged_on_the_way_is_not_enrolled_by_the_old_ones_code(
    world: World,
) -> None:
    there = place(world, "sms", ENROL)
    send(world, there, PHONE)
    first = newest_code(world)
    world.clock.move(60)
    send(world, there, "+12015550199")
    assert refused(answer, world, there, first) == WRONG
    assert answer(world, there, newest_code(world))
    assert world.run("SELECT number FROM sent_code_factors") == [("+12015550199",)]


@pytest.mark.parametrize("purpose", [SIGN_IN, ENROL])
def test_sec_51_of_twenty_who_send_one_code_one_is_right(either_world: World, purpose: str) -> None:
    there = enrol_code(either_world, "sms")._replace(purpose=purpose)
    send(either_world, there, PHONE if purpose == ENROL else "")
    code = newest_code(either_world)

    def deed(number: int) -> str:
        try:
            return answer(either_world, there, code).method
        except SecondFactorRefused as refusal:
            return refusal.reason

    came = Counter(threads_at_once(deed, AT_ONCE))
    assert came["sms"] == 1
    assert sum(came.values()) == AT_ONCE


def test_sec_50_a_code_dies_after_five_tries_and_a_new_one_goes_on_counting(
    either_world: World,
) -> None:
    there = enrol_code(either_world, "sms")
    send(either_world, there)
    for _ in range(3):
        wrong = another_code(newest_code(either_world))
        assert refused(answer, either_world, there, wrong) == WRONG
    either_world.clock.move(60)
    send(either_world, there)
    for _ in range(2):
        wrong = another_code(newest_code(either_world))
        assert refused(answer, either_world, there, wrong) == WRONG
    assert refused(answer, either_world, there, newest_code(either_world)) == PAUSED
    either_world.clock.move(60)
    send(either_world, there)
    either_world.run("DELETE FROM attempt_limits WHERE key LIKE 'second factor%'")
    assert refused(answer, either_world, there, newest_code(either_world)) == WRONG


@pytest.mark.parametrize("purpose", [SIGN_IN, ENROL])
def test_sec_50_another_attempt_or_channel_starts_nothing_anew(
    either_world: World, purpose: str
) -> None:
    for channel in CHANNELS:
        enrol_code(either_world, channel)
    for channel, number in zip(CHANNELS * 3, range(5), strict=False):
        there = place(either_world, channel, purpose, binding=f"attempt {number}")
        either_world.clock.move(60)
        send(either_world, there, PHONE if there.channel == "sms" else "")
        assert refused(answer, either_world, there, "nonsense") == WRONG
    last = place(either_world, "sms", purpose, binding="attempt 4")
    assert refused(answer, either_world, last, newest_code(either_world)) == PAUSED


def test_sec_50_enrolling_something_does_not_forget_wrong_codes(world: World) -> None:
    there = enrol_code(world, "sms")
    for _ in range(4):
        assert refused(answer, world, there, "nonsense") == WRONG
    enrol_code(world, "email")
    assert refused(answer, world, there, "nonsense") == WRONG
    assert refused(answer, world, there, "nonsense") == PAUSED


def test_sec_51_no_code_can_be_read_in_the_database_or_the_audit_log(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda most: 739_158)
    there = enrol_code(either_world, "sms")
    enrol_code(either_world, "email")
    send(either_world, there)
    assert newest_code(either_world) == "739158"
    for table in ("outbox", "sent_codes", "sent_code_factors", "audit_events", "attempt_limits"):
        rows = either_world.run(f"SELECT * FROM {table}")
        assert rows or table == "sent_codes"
        assert "739158" not in str(rows)
    assert PHONE not in str(either_world.run("SELECT * FROM audit_events"))
