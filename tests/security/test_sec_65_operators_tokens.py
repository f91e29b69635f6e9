"""S65: an operator's token is dead with whatever it rests on, wherever it is shown, and nothing
wakes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from idp.operators import clients, staff
from tests.console.calling import Caller, secret_of
from tests.console.operations import operation, user_id
from tests.console.operators_tokens import (
    DESK,
    NODES,
    OTHER,
    answer_to,
    introspected,
    make_operator,
    refreshed,
    register,
    signed_in,
    touch,
)
from tests.world import AMARA, Visitor, World, sent_back


class SignedIn(NamedTuple):
    """Amara, whom Olu made an operator, at a client of the platform's."""

    world: World
    browser: Visitor
    given: dict[str, Any]
    client_id: str

    @property
    def api(self) -> Caller:
        return Caller(self.world, self.given["access_token"])


def begin(world: World, client_id: str = DESK, scope: str = f"openid {NODES}") -> SignedIn:
    make_operator(world, AMARA)
    register(world, client_id)
    browser = world.browser()
    return SignedIn(world, browser, signed_in(browser, client_id, AMARA, scope=scope), client_id)


def is_alive(who: SignedIn) -> set[bool]:
    """At the API, userinfo, introspection of both, and refresh."""
    world, given, client = who.world, who.given, who.client_id
    shown = {
        who.api.get("/platform").status_code == 200,
        world.userinfo(given["access_token"]).status_code == 200,
        introspected(world, given["access_token"], client)["active"],
        introspected(world, given["refresh_token"], client)["active"],
    }
    answer = refreshed(world, given, client)
    if answer.status_code == 200:
        given["refresh_token"] = (answer.json or {})["refresh_token"]
    return shown | {answer.status_code == 200}


def removed_by_a_colleague(who: SignedIn) -> None:
    amara = user_id(who.world, AMARA)
    with operation(who.world) as opened:
        staff.remove(opened, amara)


def removed_by_a_file(who: SignedIn) -> None:
    make_operator(who.world, AMARA, operator=False)


def removed_by_another_way(who: SignedIn) -> None:
    """Whatever writes the row: the token's gate reads that."""
    who.world.run("UPDATE users SET is_operator = false WHERE email = :e", e=AMARA)


def disabled(who: SignedIn) -> None:
    user = {"email": AMARA, "name": "Amara Osei", "status": "disabled"}
    who.world.apply(users=[user])


def signed_out(who: SignedIn) -> None:
    who.browser.submit(who.browser.get("/logout"), decision="sign_out")


def sign_ins_ended(who: SignedIn) -> None:
    who.world.run("UPDATE users SET sessions_valid_after = :n", n=who.world.clock() + 1)


def session_too_old(who: SignedIn) -> None:
    who.world.run("UPDATE sessions SET expires_at = :n", n=who.world.clock())


def client_disabled(who: SignedIn) -> None:
    with operation(who.world) as opened:
        clients.set_status(opened, clients.get_client(opened, who.client_id), "disabled")
    who.world.clock.move(1)


def client_moved(who: SignedIn) -> None:
    who.world.run("UPDATE clients SET product_key = 'lms' WHERE client_id = :c", c=who.client_id)
    touch(who.world)


def scope_taken(who: SignedIn) -> None:
    who.world.run("UPDATE clients SET scope = 'x' WHERE client_id = :c", c=who.client_id)
    touch(who.world)


def grant_ended(who: SignedIn) -> None:
    who.world.run("UPDATE grants SET ended_at = 1")


WAYS: dict[str, Callable[[SignedIn], None]] = {
    way.__name__: way
    for way in (
        *(removed_by_a_colleague, removed_by_a_file, removed_by_another_way, disabled),
        *(signed_out, sign_ins_ended, session_too_old, client_moved, scope_taken, grant_ended),
    )
}


@pytest.mark.parametrize("way", WAYS)
def test_sec_65_an_operators_token_is_dead_with_what_it_rests_on(
    either_world: World, way: str
) -> None:
    who = begin(either_world)
    assert is_alive(who) == {True}
    WAYS[way](who)
    assert is_alive(who) == {False}


def test_sec_65_a_disabled_client_of_the_platforms_has_nothing(either_world: World) -> None:
    who = begin(either_world)
    client_disabled(who)
    assert who.api.get("/platform").status_code == 401
    assert either_world.userinfo(who.given["access_token"]).status_code == 401
    assert refreshed(either_world, who.given).status_code == 401


@pytest.mark.parametrize("way", ["removed_by_a_colleague", "removed_by_a_file"])
@pytest.mark.parametrize("scope", [f"openid {NODES}", f"openid offline_access {NODES}"])
def test_sec_65_being_made_an_operator_again_wakes_nothing(
    either_world: World, way: str, scope: str
) -> None:
    """Not what was offline, nor what was allowed to another's client; in the same second."""
    ours, others = begin(either_world, scope=scope), begin(either_world, OTHER, scope)
    before = term(either_world)
    WAYS[way](ours)
    assert either_world.run("SELECT count(*) FROM consents") == [(0,)]
    make_operator(either_world, AMARA)
    assert term(either_world) not in (before, [(None,)])
    assert is_alive(ours) == is_alive(others) == {False}
    silent = sent_back(others.browser.authorize(OTHER, prompt="none", scope=f"openid {NODES}"))
    assert silent["error"] == "consent_required"
    again = signed_in(either_world.browser(), DESK, AMARA)
    assert Caller(either_world, again["access_token"]).get("/platform").status_code == 200


def term(world: World) -> Any:
    return world.run("SELECT operator_term FROM users WHERE email = :e", e=AMARA)


def test_sec_65_a_grant_of_an_earlier_term_is_dead_whoever_forgot_to_end_it(
    either_world: World,
) -> None:
    """A code that is issued while somebody is being removed."""
    who = begin(either_world)
    either_world.run("UPDATE users SET operator_term = 'another' WHERE email = :e", e=AMARA)
    assert is_alive(who) == {False}


def test_sec_65_a_code_of_an_earlier_term_gives_nothing(either_world: World) -> None:
    who = begin(either_world)
    code = sent_back(answer_to(who.browser, email=AMARA))["code"]
    removed_by_a_file(who)
    make_operator(either_world, AMARA)
    answer = either_world.redeem(code, DESK, secret=secret_of(DESK))
    assert (answer.json or {})["error"] == "invalid_grant"


def test_sec_65_being_an_operator_still_keeps_what_there_is(either_world: World) -> None:
    """A set-up file that says it again is no new term."""
    who = begin(either_world)
    make_operator(either_world, AMARA)
    assert is_alive(who) == {True}


def test_sec_65_the_clients_are_told_that_an_operator_is_none_any_more(
    either_world: World,
) -> None:
    register(either_world, backchannel_logout_uri="https://desk.example/logout")
    make_operator(either_world, AMARA)
    signed_in(either_world.browser(), DESK, AMARA)
    amara = user_id(either_world, AMARA)
    with operation(either_world) as opened:
        staff.remove(opened, amara)
    sent = "SELECT client_id FROM outbox WHERE kind = 'backchannel_logout'"
    assert either_world.run(sent) == [(DESK,)]
    assert either_world.run("SELECT count(*) FROM grants WHERE ended_at IS NULL") == [(0,)]


def test_sec_65_who_is_removed_keeps_what_they_have_in_their_company(either_world: World) -> None:
    who = begin(either_world)
    given = who.browser.tokens(AMARA)
    removed_by_a_colleague(who)
    assert either_world.userinfo(given["access_token"]).status_code == 200


@pytest.mark.parametrize("permission", ["permissions", "tree"])
def test_sec_65_a_permission_that_is_taken_is_gone_from_the_token(
    either_world: World, permission: str
) -> None:
    """From the client's registration, or from the platform's tree."""
    who = begin(either_world, OTHER)
    assert who.api.get("/platform/keys").status_code == 200
    if permission == "permissions":
        either_world.run("UPDATE clients SET permissions = '[\"platform.health\"]'")
    else:
        either_world.run("DELETE FROM permissions WHERE key = 'keys.manage'")
    touch(either_world)
    assert who.api.get("/platform/keys").status_code == 403
    told_of_it = introspected(either_world, who.given["access_token"], OTHER)
    assert "keys.manage" not in told_of_it["permissions"]
    assert who.api.get("/platform/health").status_code == 200


CHANGES = {
    "nothing": "operator_term = NULL",
    "both": "membership_id = (SELECT min(id) FROM memberships)",
}


@pytest.mark.parametrize("rests_on", CHANGES)
@pytest.mark.parametrize("table", ["grants", "consents"])
def test_sec_65_what_rests_on_nothing_or_on_both_is_refused_by_the_database(
    either_world: World, table: str, rests_on: str
) -> None:
    begin(either_world, OTHER)
    with pytest.raises(sa.exc.IntegrityError, match="one_standing"):
        either_world.run(f"UPDATE {table} SET {CHANGES[rests_on]}")
