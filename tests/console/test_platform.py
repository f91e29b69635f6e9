"""Operators look after signing keys, after each other, and after the platform's health."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.operators import health, keys, staff
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.key_states import KnownKey, State
from tests.console.operations import operation, operator, send, user_id
from tests.console.people_of import letters
from tests.world import AMARA, BEN, HANA, OLU, VICTOR, World

LEAD = 600


def rotate(world: World) -> list[str]:
    with operation(world) as opened:
        made = keys.rotate(opened, world.held.secret_keys, LEAD)
    world.clock.move(1.0)
    return made


def known(world: World, alg: str = "ES256") -> dict[State, KnownKey]:
    ring = world.held.key_ring.current(world.clock())
    with operation(world) as opened:
        return {key.state: key for key in keys.all_keys(opened, ring) if key.alg == alg}


def published(world: World) -> set[str]:
    return {key["kid"] for key in (world.get("/jwks").json or {})["keys"]}


def test_rotating_publishes_a_key_of_each_algorithm_that_signs_later(either_world: World) -> None:
    world = either_world
    made = rotate(world)
    assert len(made) == len(ALGORITHMS)
    assert set(made) <= published(world)
    assert rotate(world) == []  # they are waiting already
    assert set(known(world)) == {State.SIGNING, State.WAITING}
    world.clock.move(LEAD)
    assert set(known(world)) == {State.SIGNING, State.KEPT}
    actor = user_id(world, OLU)
    assert [event["actor"] for event in world.audit("signing_key.made")][-4:] == [actor] * 4


def revoke(world: World, key: KnownKey, typed: str) -> None:
    with operation(world) as opened:
        keys.revoke(opened, world.held.secret_keys, key, typed)
    world.clock.move(1.0)


def test_a_revoked_key_is_gone_and_its_tokens_with_it(either_world: World) -> None:
    world = either_world
    token = world.browser().tokens(BEN)["access_token"]
    signing = known(world)[State.SIGNING]
    revoke(world, signing, "ES256")
    assert signing.kid not in published(world)
    assert world.userinfo(token).status_code == 401
    assert world.userinfo(world.browser().tokens(BEN)["access_token"]).status_code == 200
    assert world.audit("signing_key.revoked")[0]["actor"] == user_id(world, OLU)


def test_what_has_just_been_done_to_a_key_is_told_before_the_ring_is_read_again(
    world: World,
) -> None:
    signing = known(world)[State.SIGNING]
    with operation(world) as opened:
        keys.rotate(opened, world.held.secret_keys, LEAD)
    assert set(known(world)) == {State.SIGNING, State.WAITING}
    with operation(world) as opened:
        keys.revoke(opened, world.held.secret_keys, signing, "ES256")
    assert known(world)[State.REVOKED].kid == signing.kid


@pytest.mark.parametrize("typed", ["", "es256", "RS256", "yes"])
def test_revoking_wants_the_algorithm_typed(either_world: World, typed: str) -> None:
    signing = known(either_world)[State.SIGNING]
    with pytest.raises(Mistake):
        revoke(either_world, signing, typed)
    assert signing.kid in published(either_world)


def test_a_key_is_revoked_once(either_world: World) -> None:
    signing = known(either_world)[State.SIGNING]
    revoke(either_world, signing, "ES256")
    with pytest.raises(NotFound):
        revoke(either_world, signing, "ES256")
    ring = either_world.held.key_ring.current(either_world.clock())
    with pytest.raises(NotFound), operation(either_world) as opened:
        keys.get_key(opened, ring, signing.kid)


def test_nobody_else_turns_keys_or_operators(either_world: World) -> None:
    signing = known(either_world)[State.SIGNING]
    secret_keys = either_world.held.secret_keys
    ring = either_world.held.key_ring.current(either_world.clock())
    deeds: list[Any] = [
        lambda o: keys.rotate(o, secret_keys, LEAD),
        lambda o: keys.revoke(o, secret_keys, signing, "ES256"),
        lambda o: staff.add(o, AMARA),
        lambda o: staff.remove(o, "somebody"),
    ]
    old = {"auth_time": either_world.clock() - 901}
    for deed in deeds:
        with pytest.raises(RecentSignInNeeded), operation(either_world, **old) as opened:
            deed(opened)
    deeds += [
        lambda o: keys.all_keys(o, ring),
        staff.operators,
        lambda o: health.load(o, either_world.held),
    ]
    for deed in deeds:
        with (
            pytest.raises(Forbidden),
            operation(either_world, permissions=frozenset({"tenants.manage"})) as opened,
        ):
            deed(opened)
    assert operators(either_world) == {OLU}


def operators(world: World) -> set[str]:
    with operation(world) as opened:
        return {each.email for each in staff.operators(opened)}


def add(world: World, email: str) -> None:
    with operation(world) as opened:
        staff.add(opened, email)


def test_an_operator_adds_another_and_the_others_are_told(either_world: World) -> None:
    world = either_world
    add(world, AMARA.upper())
    assert operators(world) == {OLU, AMARA}
    assert {each["to"] for each in letters(world)} == {AMARA, OLU}
    add(world, HANA)
    assert {each["to"] for each in letters(world)} == {AMARA, OLU, HANA}
    assert len(letters(world)) == 2 + 3
    assert world.browser().enter("/operate", HANA).status_code == 200
    assert len(world.audit("operator.added")) == 2


@pytest.mark.parametrize("email", ["", "nobody@nowhere.example", OLU, VICTOR, "no address"])
def test_who_can_not_be_made_an_operator(either_world: World, email: str) -> None:
    with pytest.raises(Mistake) as refused:
        add(either_world, email)
    assert list(refused.value.errors) == ["email"]
    assert operators(either_world) == {OLU}


def test_an_address_that_nobody_has_proven_makes_no_operator(either_world: World) -> None:
    either_world.run("UPDATE users SET email_verified_at = NULL WHERE email = :e", e=BEN)
    with pytest.raises(Mistake):
        add(either_world, BEN)


def test_a_removed_operator_is_out_with_the_next_click(either_world: World) -> None:
    world = either_world
    add(world, AMARA)
    browser = operator(world, AMARA)
    with operation(world) as opened:
        staff.remove(opened, user_id_of(opened, AMARA))
    assert browser.get("/operate").status_code == 404
    assert operators(world) == {OLU}


def user_id_of(opened: Any, email: str) -> str:
    return next(each.id for each in staff.operators(opened) if each.email == email)


def test_nobody_removes_themselves_or_the_last_one(either_world: World) -> None:
    world = either_world
    add(world, AMARA)
    with pytest.raises(Mistake), operation(world) as opened:
        staff.remove(opened, user_id_of(opened, OLU))
    world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=AMARA)
    machine = {"user_id": None, "client_id": "automation", "auth_time": None}
    with pytest.raises(Mistake), operation(world, **machine) as opened:
        staff.remove(opened, user_id_of(opened, OLU))  # who is left can't sign in
    with pytest.raises(NotFound), operation(world) as opened:
        staff.remove(opened, "nobody")
    assert operators(world) == {OLU, AMARA}


def test_of_two_operators_who_remove_each_other_at_once_one_stays(either_world: World) -> None:
    world = either_world
    add(world, AMARA)
    pair = [user_id(world, OLU), user_id(world, AMARA)]
    starting, outcomes = threading.Barrier(2), []

    def removal(actor: str, victim: str) -> None:
        starting.wait()
        try:
            with operation_of(world, actor) as opened:
                staff.remove(opened, victim)
            outcomes.append("removed")
        except (Forbidden, Mistake, NotFound) as refused:
            outcomes.append(type(refused).__name__)

    threads = [threading.Thread(target=removal, args=each) for each in (pair, list(reversed(pair)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Forbidden", "removed"]
    assert world.run("SELECT count(*) FROM users WHERE is_operator") == [(1,)]


def operation_of(world: World, actor: str) -> Any:
    return operation(world, user_id=actor)


def test_the_pages_of_keys_and_operators_do_it_too(world: World) -> None:
    browser = operator(world)
    page = browser.get("/operate/keys")
    assert "5 keys have been made." in browser.follow(browser.submit(page)).text
    signing = known(world)[State.SIGNING]
    path = f"/operate/keys/{signing.kid}/revoke"
    assert send(browser, path, confirm="no").status_code == 422
    assert "The key is revoked." in browser.follow(send(browser, path, confirm="ES256")).text
    wrong = send(browser, "/operate/operators", email="nobody@nowhere.example")
    assert wrong.status_code == 422
    assert 'value="nobody@nowhere.example"' in wrong.text
    added = browser.follow(send(browser, "/operate/operators", email=AMARA))
    assert f"{AMARA} is an operator now." in added.text
    away = f"/operate/operators/{user_id(world, AMARA)}/remove"
    assert f"{AMARA} is an operator no more." in browser.follow(send(browser, away)).text


def test_a_well_platform_has_no_faults_but_missing_mail(either_world: World) -> None:
    faults = {each.name for each in health.examine(either_world.held) if each.fault}
    assert faults == {"mail"}


def test_a_role_that_goes_round_row_level_security_is_told(postgres_world: World) -> None:
    with postgres_world.held.database.engine.connect() as connection:
        me = connection.scalar(sa.text("SELECT current_user"))
        assert not connection.scalar(health._PRIVILEGES)
        for rights in ("true AS rolsuper, false AS rolbypassrls", "false, true"):
            roles = f"(SELECT '{me}', {rights}) AS pg_roles (rolname, rolsuper, rolbypassrls)"
            asked = str(health._PRIVILEGES).replace("pg_roles", roles)
            assert connection.scalar(sa.text(asked))


def test_health_tells_of_the_worker_and_of_what_waits(either_world: World) -> None:
    world = either_world
    with operation(world) as opened:
        assert health.load(opened, world.held) == (0, None, 0, None)
    world.clock.move(1)
    add(world, HANA)
    health.tell_of_worker(world.held, world.clock())
    with operation(world) as opened:
        load = health.load(opened, world.held)
    assert load == (1, world.clock(), 0, world.clock())
    world.run("UPDATE outbox SET status = 'failed'")
    page = operator(world).get("/operate/health").text
    assert "1 message was given up" in page
    assert "No mail can be sent" in page
