"""S16: `auth_time` and `acr` say what the person really proved, and when."""

from __future__ import annotations

import json
from typing import Any

from tests.security.protocol import ASKING, KEEPING, ask, of_people, register
from tests.world import AMARA, BEN, PASSWORD, Visitor, World, claims_of, sent_back

IMPOSSIBLE = json.dumps({"id_token": {"acr": {"essential": True, "values": ["aal3", "urn:gold"]}}})
POSSIBLE = json.dumps({"id_token": {"acr": {"essential": True, "values": ["phr", "aal1"]}}})


def id_claims(world: World, code: str) -> dict[str, Any]:
    return claims_of((world.redeem(code).json or {})["id_token"])


def asks_for_a_password(visitor: Visitor, **changed: str | None) -> bool:
    answer = visitor.follow(visitor.authorize("lms", **changed))
    return answer.status_code == 200 and 'name="password"' in answer.text


def test_sec_16_single_sign_on_tells_when_the_password_was_entered(world: World):
    entered_at = int(world.clock())
    visitor = world.browser()
    visitor.sign_in()
    world.clock.move(1000)
    claims = id_claims(world, visitor.code())
    assert (claims["auth_time"], claims["iat"]) == (entered_at, entered_at + 1000)


def test_sec_16_refreshing_makes_nothing_fresher(world: World):
    tokens = world.browser().tokens()
    entered_at = claims_of(tokens["id_token"])["auth_time"]
    world.clock.move(500)
    refreshed = world.refresh(tokens["refresh_token"]).json or {}
    for token in (refreshed["id_token"], refreshed["access_token"]):
        assert claims_of(token)["auth_time"] == entered_at


def test_sec_16_max_age_is_a_limit_to_the_second(world: World):
    visitor = world.browser()
    visitor.sign_in()
    world.clock.move(60)
    assert not asks_for_a_password(visitor, max_age="60")
    world.clock.move(1)
    assert asks_for_a_password(visitor, max_age="60")
    assert not asks_for_a_password(visitor, max_age="61")
    assert not asks_for_a_password(visitor)


def test_sec_16_max_age_nought_always_asks(world: World):
    visitor = world.browser()
    visitor.sign_in()
    assert asks_for_a_password(visitor, max_age="0")


def test_sec_16_a_clients_own_limit_holds_when_the_request_says_nothing(world: World):
    register(world, of_people("keeping", default_max_age=60))
    visitor = world.browser()
    visitor.sign_in()
    world.clock.move(61)
    assert sent_back(ask(visitor, KEEPING, prompt="none"))["error"] == "login_required"


def test_sec_16_prompt_login_asks_again_and_is_believed_only_then(world: World):
    visitor = world.browser()
    visitor.sign_in()
    world.clock.move(100)
    resume = visitor.authorize(prompt="login").headers["Location"]
    attempt = resume.partition("?")[2]
    for _ in range(2):
        unproven = visitor.get(f"/authorize?{attempt}")
        assert unproven.headers["Location"].startswith("/login/password")
    page = visitor.get(resume)
    answer = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    claims = id_claims(world, sent_back(answer)["code"])
    assert claims["auth_time"] == int(world.clock())


def test_sec_16_a_proof_that_waited_on_a_later_page_is_no_longer_fresh(world: World):
    register(world, ASKING)
    visitor = world.browser()
    page = visitor.follow(ask(visitor, ASKING, max_age="60"))
    page = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert page.request.path == "/login/consent"
    world.clock.move(1500)
    answer = visitor.follow(visitor.submit(page, decision="allow"))
    assert answer.request.path == "/login/password"


def test_sec_16_a_wrong_password_refreshes_nothing(world: World):
    visitor = world.browser()
    visitor.sign_in()
    page = visitor.follow(visitor.authorize(prompt="login"))
    again = visitor.submit(page, email=AMARA, password="wrong")
    assert again.status_code == 400
    attempt = page.request.url.partition("?")[2]
    assert visitor.get(f"/authorize?{attempt}").headers["Location"].startswith("/login/password")


def test_sec_16_a_fresh_sign_in_of_somebody_else_is_theirs(world: World):
    """Whoever re-authenticates as another person gets that person's codes, and ends the other's
    session."""
    visitor = world.browser()
    amaras = visitor.tokens()
    page = visitor.follow(visitor.authorize(prompt="login"))
    answer = visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    claims = id_claims(world, sent_back(answer)["code"])
    assert claims["sub"] != claims_of(amaras["id_token"])["sub"]
    assert world.audit("session.ended")[0]["reason"] == "another person signed in"


def test_sec_16_with_a_hint_only_that_person_may_answer(world: World):
    hint = world.browser().tokens(AMARA)["id_token"]
    visitor = world.browser()
    page = visitor.follow(visitor.authorize(id_token_hint=hint))
    answer = visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    assert answer.status_code == 200
    assert 'name="password"' in answer.text


def test_sec_16_an_essential_class_that_can_not_be_reached_is_an_error(world: World):
    visitor = world.browser()
    visitor.sign_in()
    for prompt in (None, "none"):
        told = sent_back(visitor.authorize(claims=IMPOSSIBLE, prompt=prompt))
        assert told["error"] == "unmet_authentication_requirements"
        assert "code" not in told


def test_sec_16_nor_does_signing_in_again_reach_it(world: World):
    visitor = world.browser()
    page = visitor.follow(visitor.authorize(claims=IMPOSSIBLE))
    form = {"email": AMARA, "password": PASSWORD, "claims": "", "acr_values": "aal1"}
    answer = visitor.follow(visitor.submit(page, **form))
    assert sent_back(answer)["error"] == "unmet_authentication_requirements"


def test_sec_16_the_class_is_what_was_reached_and_not_what_was_asked(world: World):
    visitor = world.browser()
    visitor.sign_in()
    for changed in ({"acr_values": "aal3 urn:gold"}, {"claims": POSSIBLE}, {}):
        claims = id_claims(world, visitor.code(**changed))
        assert (claims["acr"], claims["amr"]) == ("aal1", ["pwd"])
