"""S28: a device lets nobody in whom its client's own sign-in would not let in (authentik
CVE-2024-38371), and what it was given ends as everything else does."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from idp.oidc.client_metadata import DEVICE_CODE
from tests.credentials.proving import enrol_app
from tests.security.device_flow import TELEVISION, allow, codes, enter, poll, question, tokens
from tests.security.protocol import (
    CODE_AND_REFRESH,
    Party,
    ask,
    is_active,
    is_refused,
    of_people,
    refresh,
    register,
    revoke,
    withdraw,
)
from tests.security.second_factors import demand_a_second_factor
from tests.world import AMARA, BEN, DANA, PASSWORD, PRIYA, VICTOR, Visitor, World, claims_of

BOTH_WAYS = [*CODE_AND_REFRESH, DEVICE_CODE]
LMS = of_people("lms-device", grant_types=BOTH_WAYS)
PAYMENTS = of_people("payments-device", grant_types=BOTH_WAYS, product="payments")
QUESTION = "/login/consent"


@dataclass(frozen=True)
class Case:
    """Of `party`, who signs in as `email`, and the page that either way leads to."""

    party: Party
    email: str
    page: str
    change: str = ""


CASES = {
    "who may open it": Case(LMS, BEN, ""),
    "no role that opens it": Case(PAYMENTS, BEN, "/login/not_open"),
    "two companies": Case(LMS, PRIYA, "/login/tenant"),
    "disabled": Case(LMS, VICTOR, "/login/password"),
    "a second factor to enrol": Case(PAYMENTS, AMARA, "/login/enrol", "second factor"),
    "a second factor to prove": Case(PAYMENTS, DANA, "/login/second_factor", "second factor"),
    "an old password": Case(
        *(LMS, BEN, "/login/new_password"),
        "UPDATE products SET password_max_age_days = 1, password_max_age_since = 1",
    ),
    "a suspended company": Case(
        LMS, BEN, "/login/not_open", "UPDATE tenants SET status = 'suspended'"
    ),
}


def shown(answer: TestResponse) -> str:
    return urlsplit(answer.request.path).path


def landing(visitor: Visitor, page: TestResponse, email: str) -> str:
    """Where the password leads; nothing for being sent back to the client."""
    answer = visitor.follow(visitor.submit(page, email=email, password=PASSWORD))
    return "" if answer.status_code == 303 else shown(answer)


def change_policy(world: World, case: Case) -> None:
    if case.change == "second factor":
        enrol_app(world, DANA)
        demand_a_second_factor(world)
    elif case.change:
        world.run(case.change)
        world.run("UPDATE catalog_version SET version = version + 1")
        world.clock.move(100_000)


@pytest.mark.parametrize("name", CASES)
def test_sec_28_a_device_asks_what_its_client_would_ask(world: World, name: str) -> None:
    case = CASES[name]
    register(world, case.party)
    change_policy(world, case)
    by_code, by_device = world.browser(), world.browser()
    usual = landing(by_code, by_code.follow(ask(by_code, case.party)), case.email)
    assert usual == case.page
    told = codes(world, case.party)
    first = enter(by_device, told["user_code"])
    assert landing(by_device, first, case.email) == (case.page or QUESTION)
    assert is_refused(poll(world, case.party, told["device_code"]), "authorization_pending")


def test_sec_28_nor_does_a_session_that_is_not_enough(world: World) -> None:
    register(world, PAYMENTS)
    demand_a_second_factor(world)
    enrol_app(world, DANA)
    visitor = world.browser()
    visitor.code(DANA)
    told = codes(world, PAYMENTS)
    page = enter(visitor, told["user_code"])
    assert shown(page) == "/login/second_factor"
    attempt = parse_qs(page.request.query_string.decode())["attempt"][0]
    for path in ("/login/consent", "/login/not_open", "/authorize"):
        visitor.submit(page, path=path, attempt=attempt, decision="allow")
    assert is_refused(poll(world, PAYMENTS, told["device_code"]), "authorization_pending")


def test_sec_28_a_role_that_is_gone_after_the_question_counts(world: World) -> None:
    register(world, LMS)
    told = codes(world, LMS)
    visitor = world.browser()
    page = question(visitor, told["user_code"], BEN)
    world.run("DELETE FROM membership_roles")
    answer = visitor.follow(visitor.submit(page, path=QUESTION, decision="allow"))
    assert answer.status_code == 403
    turned = visitor.follow(visitor.submit(answer, decision="back"))
    assert "Your device was not let in" in turned.text
    assert is_refused(poll(world, LMS, told["device_code"]), "access_denied")


def test_sec_28_a_client_that_is_gone_after_the_question_is_let_in_nowhere(world: World) -> None:
    register(world, LMS)
    told = codes(world, LMS)
    visitor = world.browser()
    page = question(visitor, told["user_code"], BEN)
    register(world, of_people("lms-device", status="disabled"))
    answer = visitor.follow(visitor.submit(page, path=QUESTION, decision="allow"))
    assert answer.status_code == 400
    assert is_refused(poll(world, LMS, told["device_code"]), "invalid_client", 401)


def test_sec_28_it_is_for_the_company_that_was_asked_about(world: World) -> None:
    register(world, TELEVISION)
    given = tokens(world, TELEVISION, PRIYA, tenant="harbor")
    assert claims_of(given["access_token"])["tenant"] == "harbor"
    visitor = world.browser()
    told = codes(world, TELEVISION, tenant="harbor")
    page = enter(visitor, told["user_code"])
    refused = visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    assert shown(refused) == "/login/not_open"


def sign_out(world: World) -> None:
    world.run("UPDATE sessions SET ended_at = 1")


def disable(world: World) -> None:
    world.apply(users=[{"email": AMARA, "name": "Amara", "status": "disabled"}])


ENDS = {
    "signing out": (sign_out, "openid profile"),
    "disabling the person": (disable, "openid offline_access"),
}


@pytest.mark.parametrize("name", ENDS)
def test_sec_28_what_ends_a_sign_in_ends_the_devices(world: World, name: str) -> None:
    end, scope = ENDS[name]
    register(world, TELEVISION)
    given = tokens(world, TELEVISION, scope=scope)
    assert is_active(world, given["access_token"])
    world.clock.move(1)
    end(world)
    assert not is_active(world, given["access_token"])
    assert is_refused(refresh(world, TELEVISION, given["refresh_token"]), "invalid_grant")


def test_sec_28_offline_access_outlives_the_browser_that_allowed_it(world: World) -> None:
    register(world, TELEVISION)
    given = tokens(world, TELEVISION)
    sign_out(world)
    assert refresh(world, TELEVISION, given["refresh_token"]).status_code == 200


def test_sec_28_withdrawing_or_revoking_ends_it(world: World) -> None:
    register(world, TELEVISION)
    visitor = world.browser()
    visitor.code(AMARA)
    for end in (
        lambda given: revoke(world, TELEVISION, given["refresh_token"]),
        lambda _: withdraw(visitor, "television"),
    ):
        given = tokens(world, TELEVISION)
        assert is_active(world, given["access_token"])
        end(given)
        assert not is_active(world, given["access_token"])


def test_sec_28_the_browsers_session_tells_of_the_device_and_who_allowed_it(world: World) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    allow(world, told["user_code"])
    assert poll(world, TELEVISION, told["device_code"]).status_code == 200
    [event] = world.audit("device.allowed")
    [(grant_id, session_id)] = world.run("SELECT id, session_id FROM grants")
    assert (event["client"], event["grant"]) == ("television", grant_id)
    signed_into = "SELECT session_id, client_id FROM client_sessions"
    assert world.run(signed_into) == [(session_id, "television")]
