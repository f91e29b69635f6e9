"""S29: a pushed request (RFC 9126) is good once, for its client, for a minute, as it was pushed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.oidc.pushed_request import PREFIX
from tests.security.browsing import at_once, reopened
from tests.security.protocol import (
    ASKING,
    KEEPING,
    SPA,
    Party,
    asked_by,
    assertion,
    is_refused,
    of_people,
    post_as,
    redeem,
    register,
)
from tests.world import AMARA, ISSUER, PASSWORD, Visitor, World, sent_back

PUSHING = of_people("pushing", require_pushed_authorization_requests=True)
SIGNING = replace(of_people("signing-in", "private_key_jwt"), key=ECKey.generate_key("P-256"))
ELSEWHERE = "https://elsewhere.example/cb"


def pushed(world: World, party: Party, **changed: str | None) -> TestResponse:
    return post_as(world, party, "/par", **asked_by(party, **changed))


def named(world: World, party: Party, **changed: str | None) -> str:
    answer = pushed(world, party, **changed)
    assert answer.status_code == 201, answer.text
    return str((answer.json or {})["request_uri"])


def bring(visitor: Visitor, party: Party, request_uri: str, **more: str) -> TestResponse:
    fields = {"client_id": party.client_id, "request_uri": request_uri, **more}
    return visitor.get("/authorize?" + urlencode(fields))


def sign_in(visitor: Visitor, answer: TestResponse) -> dict[str, str]:
    page = visitor.follow(answer)
    return sent_back(visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD)))


def is_over(answer: TestResponse) -> bool:
    """A page, and no redirect."""
    return answer.status_code == 400 and "invalid_request_uri" in answer.text


@pytest.mark.parametrize("party", [KEEPING, SPA, PUSHING], ids=lambda party: party.client_id)
def test_a_pushed_request_signs_in(either_world: World, party: Party) -> None:
    world, visitor = either_world, either_world.browser()
    register(world, party)
    answer = pushed(world, party)
    told = dict(answer.json or {})
    request_uri = told.pop("request_uri")
    assert (answer.status_code, told) == (201, {"expires_in": 60})
    assert answer.headers["Cache-Control"] == "no-store"
    sent = sign_in(visitor, bring(visitor, party, request_uri))
    assert (sent["state"], sent["iss"]) == ("a-state", ISSUER)
    assert redeem(world, party, sent["code"]).status_code == 200


def test_sec_29_it_is_good_once(either_world: World) -> None:
    world, visitor = either_world, either_world.browser()
    register(world, KEEPING)
    request_uri = named(world, KEEPING)
    sign_in(visitor, bring(visitor, KEEPING, request_uri))
    assert is_over(bring(visitor, KEEPING, request_uri))
    assert is_over(bring(world.browser(), KEEPING, request_uri))


def test_sec_29_of_20_who_are_signed_in_and_bring_it_at_once_one_gets_a_code(
    either_world: World,
) -> None:
    world = either_world
    register(world, KEEPING)
    visitor = world.browser()
    sign_in(visitor, bring(visitor, KEEPING, named(world, KEEPING)))
    request_uri = named(world, KEEPING)
    answers = at_once([partial(bring, visitor, KEEPING, request_uri)] * 20)
    assert sorted(answer.status_code for answer in answers) == [303, *[400] * 19]
    assert sum("code=" in answer.headers.get("Location", "") for answer in answers) == 1


def test_sec_29_it_may_be_loaded_again_until_it_is_answered(either_world: World) -> None:
    """FAPI 2.0 Security Profile section 5.3.2.2: what looks ahead for somebody, or a page that is
    loaded again, ends nothing; and what has begun goes on after its minute."""
    world = either_world
    register(world, KEEPING)
    request_uri = named(world, KEEPING)
    first, second = world.browser(), world.browser()
    pages = [first.follow(bring(each, KEEPING, request_uri)) for each in (first, first)]
    other = second.follow(bring(second, KEEPING, request_uri))
    world.clock.move(61)
    assert "code" in sent_back(first.follow(first.submit(pages[0], email=AMARA, password=PASSWORD)))
    late = second.follow(second.submit(other, email=AMARA, password=PASSWORD))
    assert is_over(late)
    assert first.follow(first.submit(pages[1], email=AMARA, password=PASSWORD)).status_code == 400


def test_sec_29_who_comes_too_late_with_it_is_not_signed_in(world: World) -> None:
    register(world, KEEPING)
    request_uri = named(world, KEEPING)
    first, second = world.browser(), world.browser()
    other = second.follow(bring(second, KEEPING, request_uri))
    sign_in(first, bring(first, KEEPING, request_uri))
    second.follow(second.submit(other, email=AMARA, password=PASSWORD))
    silent = urlencode({**asked_by(KEEPING), "prompt": "none"})
    assert sent_back(second.get(f"/authorize?{silent}"))["error"] == "login_required"


def test_sec_29_who_turns_back_has_answered_it_too(world: World) -> None:
    register(world, ASKING)
    visitor = world.browser()
    request_uri = named(world, ASKING)
    page = visitor.follow(bring(visitor, ASKING, request_uri))
    question = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    sent = sent_back(visitor.follow(visitor.submit(question, decision="deny")))
    assert sent["error"] == "access_denied"
    assert is_over(bring(visitor, ASKING, request_uri))


def test_sec_29_a_client_can_t_say_by_itself_that_it_has_pushed(world: World) -> None:
    register(world, PUSHING)
    query = urlencode({**asked_by(PUSHING), "pushed_as": "pushed:" + "0" * 64})
    assert sent_back(world.browser().get(f"/authorize?{query}"))["error"] == "invalid_request"


def test_sec_29_another_client_finds_nothing_and_spends_nothing(either_world: World) -> None:
    world, visitor = either_world, either_world.browser()
    register(world, KEEPING, ASKING)
    request_uri = named(world, KEEPING)
    for claimed in ({"client_id": ASKING.client_id}, {"client_id": "nobody"}, {}):
        query = urlencode({**claimed, "request_uri": request_uri})
        assert is_over(visitor.get(f"/authorize?{query}"))
    assert "code" in sign_in(visitor, bring(visitor, KEEPING, request_uri))


@pytest.mark.parametrize(("seconds", "is_late"), [(59, False), (60, True)])
def test_sec_29_it_is_good_for_a_minute(either_world: World, seconds: int, is_late: bool) -> None:
    world = either_world
    register(world, KEEPING)
    request_uri = named(world, KEEPING)
    world.clock.move(seconds)
    assert is_over(bring(world.browser(), KEEPING, request_uri)) is is_late


def test_sec_29_nothing_beside_it_is_read(world: World) -> None:
    register(world, KEEPING)
    visitor = world.browser()
    beside = {"redirect_uri": ELSEWHERE, "state": "mine", "prompt": "none", "scope": "openid"}
    sent = sign_in(visitor, bring(visitor, KEEPING, named(world, KEEPING), **beside))
    assert sent["state"] == "a-state"
    answer = redeem(world, KEEPING, sent["code"])
    assert set((answer.json or {})["scope"].split()) == set(KEEPING.form["scope"].split())


def test_sec_29_a_name_that_is_sent_twice_opens_nothing(world: World) -> None:
    register(world, KEEPING)
    fields = {"client_id": KEEPING.client_id, "request_uri": named(world, KEEPING)}

    def twice(name: str) -> TestResponse:
        query = urlencode([*fields.items(), (name, fields[name])])
        return world.browser().get(f"/authorize?{query}")

    assert is_over(twice("client_id"))
    assert sent_back(twice("request_uri"))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "request_uri",
    [PREFIX, PREFIX + "a" * 43, PREFIX + "../x", PREFIX + "\x7f", PREFIX + "a" * 4000],
)
def test_sec_29_a_made_up_one_is_none(world: World, request_uri: str) -> None:
    register(world, KEEPING)
    assert is_over(bring(world.browser(), KEEPING, request_uri))


@pytest.mark.parametrize("request_uri", ["https://keeping.example/request.jwt", "urn:x"])
def test_sec_29_none_is_fetched_from_elsewhere(world: World, request_uri: str) -> None:
    register(world, KEEPING)
    query = urlencode({**asked_by(KEEPING), "request_uri": request_uri})
    sent = sent_back(world.browser().get(f"/authorize?{query}"))
    assert sent["error"] == "request_uri_not_supported"


def test_it_may_come_by_a_form(world: World) -> None:
    """Which is answered by a redirect, and so neither spends nor tells anything yet."""
    register(world, PUSHING)
    visitor = world.browser()
    fields = {"client_id": PUSHING.client_id, "request_uri": named(world, PUSHING)}
    answer = visitor.client.post("/authorize", data=fields)
    assert "a-state" not in answer.headers["Location"]
    assert "code" in sign_in(visitor, answer)


def test_a_client_that_proves_itself_by_a_header_need_not_name_itself_again(world: World) -> None:
    register(world, KEEPING)
    visitor, asked = world.browser(), asked_by(KEEPING)
    del asked["client_id"]
    answer = post_as(world, KEEPING, "/par", **asked)
    request_uri = str((answer.json or {})["request_uri"])
    assert "code" in sign_in(visitor, bring(visitor, KEEPING, request_uri))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": ELSEWHERE}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "cookie"}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "loans.write"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"id_token_hint": "no-token"}, "invalid_request"),
        ({"request_uri": PREFIX + "a" * 43}, "invalid_request"),
        ({"request": "a.b.c"}, "invalid_request_object"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"state": "s" * 4000, "nonce": "n" * 4000}, "invalid_request"),
    ],
)
def test_sec_29_a_fault_is_told_to_the_client_before_a_browser_is_sent(
    world: World, changed: dict[str, Any], error: str
) -> None:
    register(world, KEEPING)
    assert is_refused(pushed(world, KEEPING, **changed), error)


def test_sec_29_nobody_pushes_in_anothers_name(world: World) -> None:
    register(world, KEEPING, SPA)
    asked = asked_by(KEEPING)
    assert is_refused(world.post("/par", None, **asked), "invalid_client", 401)
    wrong = world.basic(KEEPING.client_id, "wrong" * 8)
    assert is_refused(world.post("/par", wrong, **asked), "invalid_client", 401)
    as_other = world.basic(KEEPING.client_id, KEEPING.secret)
    assert is_refused(world.post("/par", as_other, **asked_by(SPA)), "invalid_client", 401)


def test_sec_29_nothing_is_pushed_by_an_address(world: World) -> None:
    register(world, KEEPING)
    proof = world.basic(KEEPING.client_id, KEEPING.secret)
    query = urlencode(asked_by(KEEPING))
    assert is_refused(world.post(f"/par?{query}", proof), "invalid_request")
    assert world.get(f"/par?{query}").status_code == 405


@pytest.mark.parametrize(
    ("audience", "status"),
    [("", 201), ("/par", 201), ("/token", 201), ("/introspect", 401), ("/authorize", 401)],
)
def test_an_assertion_may_be_for_the_issuer_or_either_endpoint(
    world: World, audience: str, status: int
) -> None:
    """RFC 9126 section 2."""
    register(world, SIGNING)
    signed = assertion(world, SIGNING, aud=ISSUER + audience, header={"alg": "ES256"})
    form = {
        "client_assertion": signed,
        "client_assertion_type": ASSERTION_TYPE,
        **asked_by(SIGNING),
    }
    assert world.post("/par", None, **form).status_code == status


def test_sec_29_whoever_is_held_to_it_signs_nobody_in_without(world: World) -> None:
    register(world, PUSHING, KEEPING)
    answer = world.browser().get("/authorize?" + urlencode(asked_by(PUSHING)))
    assert sent_back(answer)["error"] == "invalid_request"
    assert "error" not in sent_back_or_page(world, KEEPING)


def test_sec_29_all_are_held_to_it_where_the_operator_says_so(world: World) -> None:
    register(world, KEEPING)
    strict = reopened(world, replace(world.settings, require_pushed_authorization_requests=True))
    assert sent_back_or_page(strict, KEEPING)["error"] == "invalid_request"
    visitor = strict.browser()
    assert "code" in sign_in(visitor, bring(visitor, KEEPING, named(strict, KEEPING)))
    for each, is_held in ((strict, True), (world, False)):
        told = each.get("/.well-known/openid-configuration").json or {}
        assert told["require_pushed_authorization_requests"] is is_held
    strict.held.database.close()


def sent_back_or_page(world: World, party: Party) -> dict[str, str]:
    answer = world.browser().get("/authorize?" + urlencode(asked_by(party)))
    if answer.headers["Location"].startswith("/login/"):
        return {}
    return sent_back(answer)


def test_sec_29_what_has_begun_goes_on_where_the_client_is_held_to_it_later(world: World) -> None:
    register(world, KEEPING)
    visitor = world.browser()
    page = visitor.follow(visitor.get("/authorize?" + urlencode(asked_by(KEEPING))))
    held = {**KEEPING.described(), "require_pushed_authorization_requests": True}
    world.apply(clients=[held])
    world.clock.move(2)
    answer = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert "code" in sent_back(answer)
