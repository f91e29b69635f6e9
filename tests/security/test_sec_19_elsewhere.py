"""S19: a token for another product is a way into it: its rules hold, at the sign-in and later."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory import catalog_version
from tests.credentials.proving import code_of, enrol_app
from tests.flows.test_second_factor_pages import enter
from tests.security.elsewhere import (
    CALLING,
    LMS,
    PAYMENTS,
    ask_for,
    redeemed,
    refreshed,
    tokens_for,
)
from tests.security.protocol import is_refused, register
from tests.security.second_factors import demand_a_second_factor, require_of_staff
from tests.world import DANA, PASSWORD, World, claims_of, sent_back

MINUTE = 60.0


def aims_at(world: World, given: dict[str, Any]) -> str:
    """What a refresh for the other product is told; empty where it gets its token. Its client's own
    product goes on in either case."""
    answer = refreshed(world, CALLING, given["refresh_token"], PAYMENTS)
    assert refreshed(world, CALLING, given["refresh_token"], LMS).status_code == 200
    if answer.status_code == 200:
        return ""
    assert is_refused(answer, "invalid_target")
    return str((answer.json or {})["error_description"])


def change(world: World, sql: str) -> None:
    world.run(sql)
    with world.held.database.transaction() as db:
        catalog_version.touch(db)
    world.clock.move(2)


ROLE = "role_id IN (SELECT id FROM roles WHERE key = 'payments_officer')"
LATER = {
    "the role is taken": (f"DELETE FROM membership_roles WHERE {ROLE}", "roles do not open"),
    "a second factor is demanded": (
        "UPDATE products SET second_factor = true WHERE key = 'payments'",
        "second factor",
    ),
    "by the tenant": (
        'UPDATE tenants SET policy = \'{"second_factor_products":{"payments": null}}\'',
        "second factor",
    ),
    "the password is too old for it": (
        "UPDATE products SET password_max_age_days = 30, password_max_age_since = 1",
        "",
    ),
    "the client may not call it": (
        "UPDATE clients SET resources = '{}' WHERE client_id = 'calling'",
        "may have no token",
    ),
}


@pytest.mark.parametrize("what", LATER)
def test_sec_19_what_ends_the_way_into_the_other_product_alone(world: World, what: str):
    register(world, CALLING)
    given = tokens_for(world, CALLING, PAYMENTS, LMS)
    assert not aims_at(world, given)
    if "password" in what:
        world.run("UPDATE passwords SET changed_at = 2")
    sql, words = LATER[what]
    change(world, sql)
    told = aims_at(world, given)
    assert told
    assert words in told


def test_sec_19_a_grant_that_remembers_no_proof_opens_nothing_elsewhere(world: World):
    """Those from before the provider kept proofs, and whatever makes one without."""
    register(world, CALLING)
    given = tokens_for(world, CALLING, PAYMENTS, LMS)
    world.run("UPDATE grants SET proofs = '{}'")
    assert "sign in" in aims_at(world, given)


def test_sec_19_the_other_product_asks_for_its_second_factor_at_the_sign_in(either_world: World):
    register(either_world, CALLING)
    demand_a_second_factor(either_world)
    change(either_world, "UPDATE products SET second_factor_minutes = 15 WHERE key = 'payments'")
    secret = enrol_app(either_world, DANA)
    visitor = either_world.browser()
    page = ask_for(visitor, CALLING, LMS)
    answer = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    assert "code" in sent_back(answer)  # its own product asks for none
    silent = sent_back(ask_for(visitor, CALLING, LMS, PAYMENTS, prompt="none"))
    assert silent["error"] == "interaction_required"
    page = ask_for(visitor, CALLING, LMS, PAYMENTS)
    assert page.request.path == "/login/second_factor"
    assert "Secure Payments" in page.text
    code = code_of(secret, either_world.clock())
    answer = visitor.follow(enter(visitor, page, code=code))
    given = redeemed(either_world, CALLING, sent_back(answer)["code"], PAYMENTS).json or {}
    assert claims_of(given["access_token"])["acr"] == "aal2"
    assert not aims_at(either_world, given)
    either_world.clock.move(15 * MINUTE + 1)
    assert "second factor" in aims_at(either_world, given)


def test_sec_19_between_code_and_token_the_role_is_taken(world: World):
    register(world, CALLING)
    visitor = world.browser()
    page = ask_for(visitor, CALLING, PAYMENTS, LMS)
    answer = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    change(world, LATER["the role is taken"][0])
    code = sent_back(answer)["code"]
    assert is_refused(redeemed(world, CALLING, code), "invalid_target")
    assert redeemed(world, CALLING, code, LMS).status_code == 200


ENDS = {
    "of the role there": LATER["the role is taken"][0],
    "of the client's resource": LATER["the client may not call it"][0],
    "of the role at its own product": "DELETE FROM membership_roles",
    "of the membership": "UPDATE memberships SET status = 'disabled'",
    "of the session": "UPDATE sessions SET ended_at = 1",
    "of the grant": "UPDATE grants SET ended_at = 1",
    "of the client": "UPDATE clients SET status = 'disabled' WHERE client_id = 'calling'",
    "of the person": "UPDATE users SET status = 'disabled'",
}


@pytest.mark.parametrize("what", ENDS)
def test_sec_19_the_token_for_the_other_product_is_dead_at_the_end(world: World, what: str):
    register(world, CALLING)
    visitor = world.browser()
    page = ask_for(visitor, CALLING, PAYMENTS, scope="openid")  # not offline: the session counts
    answer = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    minted = (redeemed(world, CALLING, sent_back(answer)["code"]).json or {})["access_token"]
    assert world.introspect(minted, "payments")["active"]
    change(world, ENDS[what])
    assert not world.introspect(minted, "payments")["active"]


def test_sec_19_a_tenants_policy_for_its_staff_holds_there_as_well(world: World):
    """Demanded by the tenant of every product: then of the other one too."""
    register(world, CALLING)
    given = tokens_for(world, CALLING, PAYMENTS, LMS)
    require_of_staff(world)
    assert "second factor" in aims_at(world, given)
