"""S28: what a client may ask of people whom it names, of whom, and how often (CIBA Core 7, 13)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from idp.secret_values import new_id
from tests.security.backchannel_flow import (
    COUNTER,
    OTHER,
    allow,
    answer,
    ask,
    asked,
    poll,
    signed_in,
    tokens,
)
from tests.security.browsing import at_once
from tests.security.protocol import (
    KEEPING,
    SPA,
    Party,
    is_refused,
    register,
    tokens_for,
)
from tests.world import AMARA, BEN, DANA, HANA, OLU, PRIYA, VICTOR, World

IN_VAIN: list[tuple[Party, dict[str, str | None], str, int]] = [
    (KEEPING, {}, "unauthorized_client", 400),
    (SPA, {}, "unauthorized_client", 400),
    (COUNTER, {"client_id": "keeping"}, "invalid_client", 401),
    (COUNTER, {"scope": None}, "invalid_request", 400),
    (COUNTER, {"scope": "profile"}, "invalid_scope", 400),
    (COUNTER, {"scope": "admin"}, "invalid_scope", 400),
    (COUNTER, {"login_hint": None}, "invalid_request", 400),
    (COUNTER, {"login_hint": None, "login_hint_token": "a.b.c"}, "invalid_request", 400),
    (COUNTER, {"id_token_hint": "a.b.c"}, "invalid_request", 400),
    (COUNTER, {"login_hint_token": "a.b.c"}, "invalid_request", 400),
    (COUNTER, {"login_hint": None, "id_token_hint": "a.b.c"}, "invalid_request", 400),
    (COUNTER, {"binding_message": "x" * 101}, "invalid_binding_message", 400),
    (COUNTER, {"binding_message": "1234\u202e4321"}, "invalid_binding_message", 400),
    (COUNTER, {"binding_message": "pay" + "\u0336" * 7}, "invalid_binding_message", 400),
    (COUNTER, {"binding_message": "\u0301pay"}, "invalid_binding_message", 400),
    (COUNTER, {"binding_message": "two\nlines"}, "invalid_binding_message", 400),
    (COUNTER, {"binding_message": " "}, "invalid_binding_message", 400),
    (COUNTER, {"binding_message": "\u3164"}, "invalid_binding_message", 400),
    (COUNTER, {"requested_expiry": "0"}, "invalid_request", 400),
    (COUNTER, {"requested_expiry": "-30"}, "invalid_request", 400),
    (COUNTER, {"requested_expiry": "soon"}, "invalid_request", 400),
    (COUNTER, {"requested_expiry": "٣٠"}, "invalid_request", 400),
    (COUNTER, {"requested_expiry": "1" * 10}, "invalid_request", 400),
    (COUNTER, {"request": "a.b.c"}, "invalid_request", 400),
    (COUNTER, {"max_age": "soon"}, "invalid_request", 400),
    (COUNTER, {"claims": "{"}, "invalid_request", 400),
    (COUNTER, {"dpop_jkt": "none"}, "invalid_request", 400),
    (COUNTER, {"resource": "urn:product:payments"}, "invalid_target", 400),
    (COUNTER, {"authorization_details": "[{}]"}, "invalid_authorization_details", 400),
    (COUNTER, {"nonce": "n" * 4000, "tenant": "t" * 3000}, "invalid_request", 400),
    (COUNTER, {"login_hint": "no-address"}, "unknown_user_id", 400),
    (COUNTER, {"login_hint": "nobody@northwind.example"}, "unknown_user_id", 400),
]


def test_a_request_that_no_person_could_meet_is_refused_at_once(world: World) -> None:
    register(world, COUNTER, KEEPING, SPA)
    for party, changed, error, status in IN_VAIN:
        assert is_refused(ask(world, party, **changed), error, status), changed
    assert world.run("SELECT count(*) FROM decoupled_requests") == [(0,)]
    assert world.get("/bc-authorize").status_code == 405
    assert is_refused(world.post("/bc-authorize?scope=openid", {}), "invalid_request")


def test_what_a_poll_has_no_use_for_is_not_read(world: World) -> None:
    register(world, COUNTER)
    unread = {"client_notification_token": "t", "user_code": "1234", "about": "0" * 32, "x": "y"}
    asked(world, COUNTER, binding_message="Kasse 4 · 品川 👍", **unread)
    [(user_id, email)] = world.run(
        "SELECT r.user_id, u.email FROM decoupled_requests r JOIN users u ON u.id = r.user_id"
    )
    assert (email, user_id == "0" * 32) == (AMARA, False)
    assert "about" not in world.run("SELECT parameters FROM decoupled_requests")[0][0]


def test_a_person_may_be_named_by_an_id_token_even_an_old_one(world: World) -> None:
    register(world, COUNTER)
    hint = tokens(world, COUNTER, DANA)["id_token"]
    world.clock.move(86400)
    world.run("DELETE FROM decoupled_requests")
    asked(world, COUNTER, None, id_token_hint=hint)
    [(email,)] = world.run("SELECT email FROM users JOIN decoupled_requests ON user_id = users.id")
    assert email == DANA
    meant = f'{{"id_token": {{"sub": {{"value": "{new_id()}"}}}}}}'
    answer = ask(world, COUNTER, None, id_token_hint=hint, claims=meant)
    assert is_refused(answer, "invalid_request")
    assert is_refused(ask(world, COUNTER, DANA, claims=meant), "unknown_user_id")


def test_sec_34_an_id_token_of_another_client_names_nobody(world: World) -> None:
    register(world, COUNTER, KEEPING)
    hint = tokens_for(world, KEEPING, DANA)["id_token"]
    assert is_refused(ask(world, COUNTER, None, id_token_hint=hint), "invalid_request")


OF_NORTHWIND = Party("of-northwind", form={**COUNTER.form, "tenant": "northwind"})
OF_PAYMENTS = Party("of-payments", form={**COUNTER.form, "product": "payments"})
NOT_TO_BE_ASKED: list[tuple[Party, str, dict[str, str]]] = [
    (COUNTER, "nobody@northwind.example", {}),
    (COUNTER, VICTOR, {}),
    (COUNTER, OLU, {}),
    (COUNTER, AMARA, {"tenant": "harbor"}),
    (COUNTER, AMARA, {"tenant": "nowhere"}),
    (OF_NORTHWIND, HANA, {}),
    (OF_NORTHWIND, PRIYA, {"tenant": "harbor"}),
    (OF_PAYMENTS, BEN, {}),
]


def test_sec_77_all_whom_a_client_may_not_ask_are_alike(world: World) -> None:
    register(world, COUNTER, OF_NORTHWIND, OF_PAYMENTS)
    told = {ask(world, party, email, **changed).text for party, email, changed in NOT_TO_BE_ASKED}
    assert len(told) == 1
    assert '"unknown_user_id"' in told.pop()
    asked(world, OF_NORTHWIND, PRIYA)
    asked(world, COUNTER, PRIYA, tenant="harbor")
    world.run("UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'")
    assert is_refused(ask(world, OF_NORTHWIND, AMARA), "unknown_user_id")
    events = world.audit("backchannel_request.unknown")
    assert len(events) == len(NOT_TO_BE_ASKED) + 1
    assert "@" not in str(events)


def test_sec_44_a_client_looks_for_strangers_a_hundred_times(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    monkeypatch.setattr("idp.grants.ciba.UNKNOWN", 4)
    register(world, COUNTER, OTHER)
    for email in (AMARA, BEN, DANA, PRIYA, AMARA):
        asked(world, COUNTER, email)  # who is found costs nothing
    tries = [partial(ask, world, COUNTER, f"nobody-{n}@northwind.example") for n in range(7)]
    errors = sorted((each.json or {})["error"] for each in at_once(tries))
    assert errors == [*["access_denied"] * 3, *["unknown_user_id"] * 4]
    assert is_refused(ask(world, COUNTER), "access_denied", 403), "nor is anybody found then"
    assert ask(world, OTHER).status_code == 200
    world.clock.move(601)
    assert ask(world, COUNTER).status_code == 200


def test_sec_28_nobody_is_worn_down(either_world: World) -> None:
    """MFA fatigue: five of a client and ten of all in ten minutes, whatever comes at once."""
    world = either_world
    third = replace(OTHER, client_id="third-counter")
    register(world, COUNTER, OTHER, third)
    statuses = sorted(each.status_code for each in at_once([partial(ask, world, COUNTER)] * 8))
    assert statuses == [*[200] * 5, *[403] * 3]
    for _ in range(5):
        asked(world, OTHER)
    assert is_refused(ask(world, third), "access_denied", 403)
    assert ask(world, COUNTER, DANA).status_code == 200, "others are asked as before"
    assert world.run("SELECT count(*) FROM decoupled_requests") == [(11,)]
    assert len(world.audit("backchannel_request.asked")) == 11
    reasons = [event["reason"] for event in world.audit("backchannel_request.withheld")]
    assert reasons == ["too many"] * 2, "once for each client"
    world.clock.move(601)
    assert ask(world, third).status_code == 200


def test_sec_28_what_somebody_allows_is_no_nuisance_and_what_they_refuse_is(world: World) -> None:
    register(world, COUNTER)
    for _ in range(6):
        asked(world, COUNTER)
        allow(world)
    visitor = signed_in(world)
    for _ in range(5):
        asked(world, COUNTER)
        answer(visitor, "deny")
    assert is_refused(ask(world, COUNTER), "access_denied", 403)


def test_sec_28_who_was_surprised_is_left_alone_for_a_day(world: World) -> None:
    register(world, COUNTER, OTHER)
    auth_req_id, second = asked(world, COUNTER), asked(world, COUNTER)
    visitor = signed_in(world)
    told = visitor.follow(answer(visitor, "disown"))
    assert "can ask nothing of you for a day" in told.text
    assert is_refused(poll(world, COUNTER, second), "access_denied")
    assert is_refused(poll(world, COUNTER, auth_req_id), "authorization_pending")
    for _ in range(2):
        assert is_refused(ask(world, COUNTER), "access_denied", 403)
        world.clock.move(86_399 / 2)
    assert ask(world, OTHER).status_code == ask(world, COUNTER, DANA).status_code == 200
    world.clock.move(2)
    assert ask(world, COUNTER).status_code == 200
    [event] = world.audit("backchannel_request.denied")
    assert (event["client"], event["disowned"]) == ("counter", True)
    assert {e["reason"] for e in world.audit("backchannel_request.withheld")} == {"disowned"}
