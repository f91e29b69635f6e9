"""What somebody has enrolled, and taking it away (product.md M9)."""

from __future__ import annotations

from idp.credentials import enrolments, factors
from idp.credentials.code_destinations import SMS
from idp.credentials.second_factor_tries import MISSING, WRONG
from tests.authenticator import Authenticator
from tests.console.people_of import letters
from tests.credentials.proving import (
    HERE,
    code_of,
    enrol_app,
    enrol_code,
    enter,
    factors_of,
    new_codes,
    recover,
    refused,
    user_id,
)
from tests.passkeys_of import Keys
from tests.world import AMARA, BEN, World


def remove(world: World, factor_id: str, email: str = AMARA) -> bool:
    owner = user_id(world, email)
    with world.held.database.transaction() as db:
        return factors.remove(db, owner, factor_id, world.clock(), HERE)


def test_factors_tell_when_they_were_enrolled_and_last_used(either_world: World) -> None:
    assert factors_of(either_world) == []
    began = either_world.clock()
    secret = enrol_app(either_world)
    (app,) = factors_of(either_world)
    assert (app.method, app.enrolled_at, app.last_used_at) == ("totp", began, None)
    enter(either_world, code_of(secret, either_world.clock()))
    assert factors_of(either_world)[0].last_used_at == either_world.clock()


def test_the_last_factor_takes_the_recovery_codes_along(either_world: World) -> None:
    secret = enrol_app(either_world)
    codes = new_codes(either_world)
    app, _ = factors_of(either_world)
    either_world.run("DELETE FROM outbox")
    assert remove(either_world, app.id)
    assert factors_of(either_world) == []
    assert refused(enter, either_world, code_of(secret, either_world.clock())) == MISSING
    assert refused(recover, either_world, codes[0]) == MISSING
    assert [letter["template"] for letter in letters(either_world)] == ["factor/removed"]


def test_recovery_codes_can_go_alone(world: World) -> None:
    enrol_app(world)
    new_codes(world)
    _, codes = factors_of(world)
    assert remove(world, codes.id)
    assert [factor.method for factor in factors_of(world)] == ["totp"]


def test_nobody_removes_another_persons_factor_or_one_twice(either_world: World) -> None:
    enrol_app(either_world)
    (app,) = factors_of(either_world)
    assert not remove(either_world, app.id, BEN)
    assert remove(either_world, app.id)
    assert not remove(either_world, app.id)
    assert len(either_world.audit("factor.removed")) == 1


def test_a_reset_unlinks_all_of_one_person_and_nothing_of_another(either_world: World) -> None:
    hers = enrol_app(either_world)
    his = enrol_app(either_world, BEN)
    new_codes(either_world)
    for _ in range(3):
        assert refused(enter, either_world, "nonsense") == WRONG
    owner = user_id(either_world)
    with either_world.held.database.transaction() as db:
        gone = factors.unlink_all(db, owner)
    assert [factor.method for factor in gone] == ["totp", "recovery"]
    assert factors_of(either_world) == []
    assert refused(enter, either_world, code_of(hers, either_world.clock())) == MISSING
    assert enter(either_world, code_of(his, either_world.clock()), BEN)
    assert either_world.run("SELECT count(*) FROM authenticator_failures") == [(0,)]


def test_no_kind_of_factor_is_removed_for_somebody_else(either_world: World) -> None:
    """Each kind by itself looks whose it is."""
    enrol_app(either_world)
    enrol_code(either_world, SMS)
    new_codes(either_world)
    Keys(either_world).enrol()
    hers, his_id = factors_of(either_world), user_id(either_world, BEN)
    assert len(hers) == 4
    with either_world.held.database.transaction() as db:
        for source in (*factors.SOURCES, factors.RECOVERY):
            for factor in hers:
                assert not source.remove(db, his_id, factor.id)
    assert factors_of(either_world) == hers


def test_a_reset_lifts_the_pause_of_codes_too(either_world: World) -> None:
    """Else who is helped waits for half an hour to be helped."""
    enrol_app(either_world)
    for _ in range(5):
        refused(enter, either_world, "nonsense")
    owner = user_id(either_world)
    with either_world.held.database.transaction() as db:
        factors.unlink_all(db, owner)
    either_world.clock.move(30)
    anew = enrol_app(either_world)
    assert enter(either_world, code_of(anew, either_world.clock()))


def test_many_people_are_asked_about_as_one_is(either_world: World) -> None:
    enrol_app(either_world)
    enrol_code(either_world, SMS)
    Keys(either_world).enrol()
    Keys(either_world).enrol(Authenticator(verifies=False))
    new_codes(either_world)
    new_codes(either_world, BEN)
    hers, his = user_id(either_world), user_id(either_world, BEN)
    with either_world.held.database.session() as rows:
        found = enrolments.of_people(rows, [hers, his])
    for owner, email in ((hers, AMARA), (his, BEN)):
        expected = [(each.method, each.enrolled_at) for each in factors_of(either_world, email)]
        assert sorted(map(tuple, found[owner])) == sorted(expected)
