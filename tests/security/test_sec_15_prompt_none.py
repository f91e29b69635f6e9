"""S15: `prompt=none` shows no page, and tells no more than the one error that fits."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.credentials.proving import enrol_app
from tests.security.protocol import ASKING, KEEPING, ask, asked_by, register
from tests.security.second_factors import demand_a_second_factor
from tests.world import AMARA, BEN, DANA, PRIYA, Visitor, World, claims_of, sent_back

BARE = {"error", "error_description", "state", "iss"}


def silent_error(visitor: Visitor, client_id: str = "lms", **changed: str | None) -> str:
    """The error of a silent request, which must be all that came back."""
    answer = visitor.authorize(client_id, prompt="none", **changed)
    told = sent_back(answer)
    assert set(told) == BARE
    assert answer.data == b""
    assert "attempt=" not in answer.headers["Location"]
    assert "Set-Cookie" not in answer.headers
    for person in ("amara", "Amara", "ben@", "priya", "northwind", "harbor", "Harbor"):
        assert person not in answer.headers["Location"]
    return told["error"]


def test_sec_15_nobody_is_signed_in(world: World):
    assert silent_error(world.browser()) == "login_required"


def test_sec_15_somebody_is_and_the_product_gets_its_code(world: World):
    visitor = world.browser()
    visitor.sign_in()
    assert "code" in sent_back(visitor.authorize(prompt="none"))


def test_sec_15_another_person_was_meant(world: World):
    bens = world.browser().tokens(BEN)["id_token"]
    visitor = world.browser()
    visitor.sign_in(AMARA)
    assert silent_error(visitor, id_token_hint=bens) == "login_required"
    assert silent_error(world.browser(), id_token_hint=bens) == "login_required"


def test_sec_15_a_hint_that_is_no_token_of_ours_is_a_fault_of_the_request(world: World):
    visitor = world.browser()
    tokens = visitor.tokens()
    for hint in ("x", tokens["access_token"], tokens["id_token"][:-5]):
        assert silent_error(visitor, id_token_hint=hint) == "invalid_request"


def test_sec_15_the_session_is_in_another_company_than_the_one_asked_for(world: World):
    visitor = world.browser()
    visitor.sign_in(BEN)
    for tenant in ("harbor", "no-such-company"):
        assert silent_error(visitor, tenant=tenant) == "access_denied"


def test_sec_15_a_company_is_still_to_be_chosen(world: World):
    """Signed in at a product that opens in one company, then silently at one that opens in two."""
    visitor = world.browser()
    answer = visitor.sign_in(PRIYA, tenant="harbor", client_id="payments")
    assert "code" in sent_back(answer)
    world.run("UPDATE sessions SET tenant_id = NULL")
    assert silent_error(visitor) == "interaction_required"


def test_sec_15_the_tenant_that_was_asked_for_is_the_one_that_opens(world: World):
    visitor = world.browser()
    visitor.tokens(PRIYA, tenant="harbor")
    code = sent_back(visitor.authorize(prompt="none", tenant="northwind"))["code"]
    given = world.redeem(code).json or {}
    assert claims_of(given["access_token"])["tenant"] == "northwind"


def test_sec_15_the_product_is_not_open_to_the_person(world: World):
    visitor = world.browser()
    visitor.sign_in(BEN)
    assert silent_error(visitor, "payments") == "access_denied"


def test_sec_15_consent_is_missing(world: World):
    register(world, ASKING)
    visitor = world.browser()
    visitor.sign_in()
    told = sent_back(ask(visitor, ASKING, prompt="none"))
    assert (told["error"], set(told)) == ("consent_required", BARE)


def test_sec_15_it_can_not_be_joined_with_a_prompt_that_shows_a_page(world: World):
    visitor = world.browser()
    visitor.sign_in()
    for prompt in ("none login", "none consent", "select_account none", "none none login"):
        told = sent_back(visitor.authorize(prompt=prompt))
        assert (told["error"], "code" in told) == ("invalid_request", False), prompt


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE users SET status = 'disabled'", id="disabled"),
        pytest.param("UPDATE users SET sessions_valid_after = 9e9", id="all-sessions-ended"),
        pytest.param("UPDATE sessions SET ended_at = 1", id="session-ended"),
    ],
)
def test_sec_15_the_person_may_no_longer_sign_in(world: World, statement: str):
    visitor = world.browser()
    visitor.sign_in(DANA)
    world.run(statement)
    assert silent_error(visitor) == "login_required"


def test_sec_15_the_session_has_run_out(world: World):
    visitor = world.browser()
    visitor.sign_in()
    world.clock.move(3601)
    assert silent_error(visitor) == "login_required"


def test_sec_15_the_sign_in_is_too_old_for_the_product(world: World):
    visitor = world.browser()
    visitor.sign_in()
    world.clock.move(120)
    assert silent_error(visitor, max_age="60") == "login_required"


def test_sec_15_by_post_and_by_form_too(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    by_post = visitor.follow(visitor.post("/authorize", **asked_by(KEEPING, prompt="none")))
    assert sent_back(by_post)["error"] == "login_required"
    query = urlencode(asked_by(KEEPING, prompt="none", response_mode="form_post"))
    page = visitor.get(f"/authorize?{query}")
    assert 'name="error" value="login_required"' in page.text
    assert 'name="password"' not in page.text


def test_sec_15_a_second_factor_is_pending(world: World):
    demand_a_second_factor(world)
    visitor = world.browser()
    visitor.sign_in(DANA)
    assert silent_error(visitor, "payments") == "interaction_required"
    enrol_app(world, DANA)
    assert silent_error(visitor, "payments") == "interaction_required"
    assert "code" in sent_back(visitor.authorize(prompt="none"))
