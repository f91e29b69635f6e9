"""S53: recovery codes are good once each, are counted like all second factors, and are told of."""

from __future__ import annotations

import re
from collections import Counter

from idp.credentials import recovery_codes
from idp.credentials.second_factor_tries import (
    MISSING,
    PAUSED,
    WRONG,
    SecondFactorRefused,
    limit_key,
)
from tests.console.people_of import letters
from tests.credentials.proving import (
    enrol_app,
    factors_of,
    new_codes,
    recover,
    refused,
    user_id,
)
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, World

AT_ONCE = 20
HALF_AN_HOUR = 1800.0


def test_sec_53_ten_codes_of_eighty_bits_are_kept_as_hashes(either_world: World) -> None:
    codes = new_codes(either_world)
    assert len(set(codes)) == 10
    for code in codes:
        assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)
    kept = str(either_world.run("SELECT * FROM recovery_codes")).upper()
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert len({code[:4] for code in new_codes(either_world, BEN)} - {c[:4] for c in codes}) > 1


def test_sec_53_each_code_is_good_once_however_it_is_written(either_world: World) -> None:
    codes = new_codes(either_world)
    ways = [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: f"  {code.replace('-', ' ')}\n",
        lambda code: code.replace("1", "l").replace("0", "o"),
    ]
    for number, code in enumerate(codes):
        assert recover(either_world, ways[number % len(ways)](code)).method == "recovery"
        assert refused(recover, either_world, code) == WRONG
    assert factors_of(either_world) == []


def test_sec_53_of_twenty_who_use_one_code_one_does(either_world: World) -> None:
    code = new_codes(either_world)[0]

    def deed(number: int) -> str:
        try:
            return recover(either_world, code).method
        except SecondFactorRefused as refusal:
            return refusal.reason

    came = Counter(threads_at_once(deed, AT_ONCE))
    assert came["recovery"] == 1
    assert sum(came.values()) == AT_ONCE
    assert len(either_world.audit("recovery_codes.used")) == 1


def test_sec_53_new_codes_kill_the_old(either_world: World) -> None:
    old = new_codes(either_world)
    either_world.clock.move(60)
    new = new_codes(either_world)
    assert refused(recover, either_world, old[0]) == WRONG
    assert recover(either_world, new[0]).enrolled_at == either_world.clock()


def test_sec_53_of_twenty_who_renew_at_once_one_set_counts(either_world: World) -> None:
    sets = threads_at_once(lambda number: new_codes(either_world), AT_ONCE)
    assert either_world.run("SELECT count(*) FROM recovery_codes") == [(10,)]
    good = 0
    for codes in sets:
        either_world.run("DELETE FROM attempt_limits")
        try:
            recover(either_world, codes[0])
            good += 1
        except SecondFactorRefused:
            continue
    assert good == 1


def test_sec_53_a_code_is_its_persons_alone(world: World) -> None:
    hers, his = new_codes(world), new_codes(world, BEN)
    assert refused(recover, world, hers[0], BEN) == WRONG
    assert recover(world, his[0], BEN)
    assert refused(recover, world, "AAAA-AAAA-AAAA-AAAA", "dana@northwind.example") == MISSING


def test_sec_53_guessing_is_counted_and_goes_on_counting_after_the_pause(
    either_world: World,
) -> None:
    codes = new_codes(either_world)
    for _round in range(2):
        for number in range(5):
            assert refused(recover, either_world, f"AAAA-AAAA-AAAA-AAA{number}") == WRONG
        assert refused(recover, either_world, codes[0]) == PAUSED
        either_world.clock.move(HALF_AN_HOUR)
    assert recover(either_world, codes[0])
    assert len(either_world.audit("second_factor.paused")) == 2


def test_sec_53_the_owner_is_mailed_at_each_use_and_keeps_the_other_factors(
    either_world: World,
) -> None:
    enrol_app(either_world)
    codes = new_codes(either_world)
    either_world.run("DELETE FROM outbox")
    recover(either_world, codes[0])
    (letter,) = letters(either_world)
    assert (letter["to"], letter["template"]) == (AMARA, "recovery_codes/used")
    assert letter["left"] == 9
    assert [factor.method for factor in factors_of(either_world)] == ["totp", "recovery"]
    assert factors_of(either_world)[1].label == "9"
    assert codes[0] not in str(either_world.audit())


def test_sec_53_the_counter_knows_its_person_alone(world: World) -> None:
    new_codes(world)
    his = new_codes(world, BEN)
    for _ in range(6):
        refused(recover, world, "wrong")
    assert recover(world, his[0], BEN)
    assert limit_key(user_id(world)) != limit_key(user_id(world, BEN))


def test_codes_that_are_taken_away_are_worthless(world: World) -> None:
    codes = new_codes(world)
    (factor,) = factors_of(world)
    hers, his = user_id(world), user_id(world, BEN)
    with world.held.database.transaction() as db:
        assert not recovery_codes.remove(db, his, factor.id)
        assert recovery_codes.remove(db, hers, factor.id)
    assert refused(recover, world, codes[0]) == MISSING
