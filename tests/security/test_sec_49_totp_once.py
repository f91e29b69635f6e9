"""S49: a code of an app is good once, and no older one after it (product.md M10)."""

from __future__ import annotations

from collections import Counter

import pyotp
import pytest

from idp.credentials.second_factor_tries import MISSING, WRONG, SecondFactorRefused
from idp.errors import SetupMistake
from idp.provider import provider
from tests.credentials.proving import (
    code_of,
    confirm,
    enrol_app,
    enter,
    factors_of,
    offered,
    refused,
    user_id,
    wrong_code,
)
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, World

AT_ONCE = 20


def test_sec_49_a_code_is_accepted_once(either_world: World) -> None:
    secret = enrol_app(either_world)
    code = code_of(secret, either_world.clock())
    assert enter(either_world, code).method == "totp"
    assert refused(enter, either_world, code) == WRONG
    either_world.clock.move(29)
    assert refused(enter, either_world, code) == WRONG


def test_sec_49_of_twenty_at_once_one_is_accepted(either_world: World) -> None:
    secret = enrol_app(either_world)
    code = code_of(secret, either_world.clock())

    def deed(number: int) -> str:
        try:
            return enter(either_world, code).method
        except SecondFactorRefused as refusal:
            return refusal.reason

    came = Counter(threads_at_once(deed, AT_ONCE))
    assert came["totp"] == 1
    assert sum(came.values()) == AT_ONCE


def test_sec_49_the_code_that_confirmed_the_enrolment_does_not_sign_in(
    either_world: World,
) -> None:
    secret = offered(either_world).secret
    code = code_of(secret, either_world.clock())
    confirm(either_world, code)
    assert refused(enter, either_world, code) == WRONG
    either_world.clock.move(30)
    assert refused(enter, either_world, code) == WRONG
    assert enter(either_world, code_of(secret, either_world.clock()))


def test_sec_49_an_older_step_after_a_newer_one_is_refused(either_world: World) -> None:
    secret = enrol_app(either_world)
    either_world.clock.move(30)
    now = either_world.clock()
    assert enter(either_world, code_of(secret, now))
    assert refused(enter, either_world, code_of(secret, now - 30)) == WRONG


@pytest.mark.parametrize(("steps", "is_taken"), [(-3, 0), (-2, 0), (-1, 1), (0, 1), (1, 0), (2, 0)])
def test_sec_49_the_current_step_and_the_one_before_count(
    world: World, steps: int, is_taken: int
) -> None:
    secret = enrol_app(world)
    world.clock.move(300)
    code = code_of(secret, world.clock() + 30 * steps)
    if is_taken:
        assert enter(world, code)
    else:
        assert refused(enter, world, code) == WRONG


def test_sec_49_what_was_used_stays_used_after_a_restart(either_world: World) -> None:
    secret = enrol_app(either_world)
    code = code_of(secret, either_world.clock())
    enter(either_world, code)
    restarted = World(
        provider(either_world.settings, either_world.clock),
        either_world.clock,
        either_world.folder,
    )
    assert refused(enter, restarted, code) == WRONG
    restarted.held.database.close()


def test_sec_49_each_person_has_steps_of_their_own(world: World) -> None:
    hers = enrol_app(world)
    his = enrol_app(world, BEN)
    now = world.clock()
    assert enter(world, code_of(hers, now))
    assert refused(enter, world, code_of(hers, now), BEN) == WRONG
    assert enter(world, code_of(his, now), BEN)


def test_sec_49_enrolling_again_is_another_secret_and_the_old_one_is_dead(
    either_world: World,
) -> None:
    old = enrol_app(either_world)
    (first,) = factors_of(either_world)
    new = enrol_app(either_world)
    assert old != new
    assert refused(enter, either_world, code_of(old, either_world.clock())) == WRONG
    assert enter(either_world, code_of(new, either_world.clock()))
    (second,) = factors_of(either_world)
    assert first.id != second.id
    assert first.enrolled_at < second.enrolled_at
    assert [event["replaces"] for event in either_world.audit("factor.enrolled")] == [False, True]


def test_sec_49_a_secret_that_nobody_confirmed_counts_for_nothing(world: World) -> None:
    offer = offered(world)
    assert offered(world).secret == offer.secret  # the same picture after a reload
    assert refused(confirm, world, wrong_code(offer.secret, world.clock())) == WRONG
    assert factors_of(world) == []
    assert refused(enter, world, code_of(offer.secret, world.clock())) == MISSING
    assert confirm(world, code_of(offer.secret, world.clock()))


def test_sec_49_an_offer_is_confirmed_once_by_its_person_in_its_browser(world: World) -> None:
    secret = offered(world).secret
    code = code_of(secret, world.clock())
    assert refused(confirm, world, code, BEN) == WRONG
    assert refused(confirm, world, code, AMARA, "another browser") == WRONG
    confirm(world, code)
    assert refused(confirm, world, code) == WRONG
    assert offered(world).secret != secret


def test_sec_49_of_twenty_who_confirm_one_offer_one_does(either_world: World) -> None:
    code = code_of(offered(either_world).secret, either_world.clock())

    def deed(number: int) -> str:
        try:
            return confirm(either_world, code).method
        except SecondFactorRefused as refusal:
            return refusal.reason

    assert Counter(threads_at_once(deed, AT_ONCE)) == {"totp": 1, WRONG: AT_ONCE - 1}
    assert len(either_world.audit("factor.enrolled")) == 1


@pytest.mark.parametrize("typed", ["{} {}", " {}{}\t", "{}\u00a0{}"])
def test_a_code_may_have_spaces_in_it(world: World, typed: str) -> None:
    code = code_of(enrol_app(world), world.clock())
    assert enter(world, typed.format(code[:3], code[3:]))


@pytest.mark.parametrize("nonsense", ["", "12345", "1234567", "abcdef", "\x00", "1" * 9999])
def test_what_is_no_code_is_a_wrong_one(world: World, nonsense: str) -> None:
    enrol_app(world)
    assert refused(enter, world, nonsense) == WRONG


def test_sec_49_the_secret_is_sealed_and_bound_to_its_person(world: World) -> None:
    secret = enrol_app(world)
    enrol_app(world, BEN)
    kept = world.run("SELECT * FROM totp_authenticators")
    assert secret not in str(kept)
    world.run(
        "UPDATE totp_authenticators SET sealed_secret = (SELECT sealed_secret FROM"
        " totp_authenticators WHERE user_id = :hers) WHERE user_id = :his",
        hers=user_id(world),
        his=user_id(world, BEN),
    )
    with pytest.raises(SetupMistake):
        enter(world, code_of(secret, world.clock()), BEN)


def test_an_offer_is_shown_as_a_picture_without_styles_and_as_text(world: World) -> None:
    offer = offered(world)
    assert offer.groups.replace(" ", "") == offer.secret
    assert max(map(len, offer.groups.split())) == 4
    assert len(offer.secret) * 5 >= 160
    read = pyotp.parse_uri(offer.address)
    assert (read.secret, read.name, read.issuer) == (offer.secret, AMARA, "Latchkey")
    picture = offer.picture()
    assert picture.startswith("<svg")
    assert "style" not in picture
    assert offer.secret not in picture


def test_an_offer_is_over_with_its_time(world: World) -> None:
    secret = offered(world).secret
    world.clock.move(1801)
    assert refused(confirm, world, code_of(secret, world.clock())) == WRONG
