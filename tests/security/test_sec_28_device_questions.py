"""S28: a person is asked about a device, knows which, and decides in the browser that asked."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.security.browsing import at_once
from tests.security.device_flow import (
    STRANGE,
    TELEVISION,
    TILL,
    codes,
    decide,
    enter,
    from_network,
    is_over,
    poll,
    question,
)
from tests.security.protocol import EVERY_SCOPE, is_refused, register
from tests.world import AMARA, DANA, PASSWORD, Visitor, World

NEAR, FAR = "198.51.100.7", "203.0.113.66"


def is_pending(world: World, device_code: str) -> bool:
    world.clock.move(60)
    return is_refused(poll(world, TELEVISION, device_code), "authorization_pending")


def test_sec_28_the_page_names_who_asks_and_for_what(world: World) -> None:
    register(world, STRANGE)
    far = from_network(world, FAR)
    headers = world.basic(STRANGE.client_id, STRANGE.secret)
    told: Any = far.client.post(
        "/device_authorization", headers=headers, data={"scope": EVERY_SCOPE}
    ).json
    for visitor, is_far in ((from_network(world, NEAR), True), (far, False)):
        world.run("UPDATE decoupled_requests SET browser = NULL")
        page = question(visitor, told["user_code"]).text
        for named in (
            *("Allow The client strange-till on another device?", "Northwind Lending", "LMS"),
            *(told["user_code"], FAR, "Amara Okafor", "Keep access while you are away"),
            "Allow it only if you have started this yourself",
        ):
            assert named in page
        assert ("This is not the network that you are in." in page) is is_far


def test_sec_28_a_code_that_came_with_the_address_is_asked_about_all_the_same(
    world: World,
) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    visitor = world.browser()
    visitor.code(AMARA)
    page = visitor.get(told["verification_uri_complete"])
    assert f'value="{told["user_code"]}"' in page.text
    assert "Check that your device shows this very code." in page.text
    assert is_pending(world, told["device_code"])
    asked = visitor.follow(visitor.submit(page, user_code=told["user_code"]))
    assert is_pending(world, told["device_code"]), "the question is no answer"
    assert decide(visitor, asked) == "allowed"
    world.clock.move(60)
    assert poll(world, TELEVISION, told["device_code"]).status_code == 200


def test_sec_28_a_code_is_read_however_it_is_typed(world: World) -> None:
    register(world, TELEVISION)
    visitor = world.browser()
    visitor.code(AMARA)
    code = codes(world, TELEVISION)["user_code"]
    plain = code.replace("-", "")
    typed = (code.lower(), plain, f" {plain[:3]} {plain[3:]}\t", f"{plain[:2]}–{plain[2:]}.", code)
    for text in typed:
        assert 'value="allow"' in enter(visitor, text).text, text
    for text in ("", "-", plain[:7], plain + "B", "1234-5678", "ÀÉÎÕ-ÜÇÑß", "A" * 9000):
        answer = visitor.submit(visitor.get("/device"), user_code=text)
        assert answer.status_code == 422
        assert "Enter the eight letters" in answer.text


def test_sec_28_whatever_is_wrong_with_a_code_is_said_in_the_same_words(world: World) -> None:
    register(world, TELEVISION)
    visitor = world.browser()
    denied, unseen = codes(world, TELEVISION), codes(world, TELEVISION)
    decide(visitor, question(visitor, denied["user_code"]), "deny")
    assert is_over(enter(visitor, denied["user_code"]))
    assert is_over(enter(visitor, "BBBB-BBBB"))
    world.clock.move(600)
    assert is_over(enter(visitor, unseen["user_code"]))
    assert world.get("/device?user_code=BBBB-BBBB").status_code == 200, "nothing is looked up"


def wrong(visitor: Visitor, times: int) -> set[int]:
    page = visitor.get("/device")
    return {visitor.submit(page, user_code="BBBB-BBBB").status_code for _ in range(times)}


def test_sec_28_a_network_guesses_twenty_times(either_world: World) -> None:
    world = either_world
    register(world, TELEVISION)
    code = codes(world, TELEVISION)["user_code"]
    near, beside, far = (from_network(world, address) for address in (NEAR, NEAR, FAR))
    assert wrong(near, 19) == {422}
    assert 'name="password"' in enter(near, code).text, "what is right costs nothing"
    assert wrong(near, 1) == {422}
    for visitor in (near, beside):
        answer = visitor.submit(visitor.get("/device"), user_code=code)
        assert answer.status_code == 429
        assert "too many tries from your network" in answer.text
    assert is_over(enter(far, code)), "the first browser took it up"
    world.clock.move(601)
    assert wrong(near, 1) == {422}


def test_sec_84_each_wrong_code_is_written_down_without_it(world: World) -> None:
    register(world, TELEVISION)
    code = codes(world, TELEVISION)["user_code"]
    assert wrong(from_network(world, NEAR), 25) == {422, 429}
    signed_in = from_network(world, FAR)
    signed_in.code(AMARA)
    assert wrong(signed_in, 1) == {422}
    enter(signed_in, code)
    events = world.audit("device_code.unknown")
    assert [bool(event.get("actor")) for event in events] == [*[False] * 20, True]
    assert "BBBB" not in str(events)


def test_sec_28_thirty_guesses_at_once_are_twenty(either_world: World) -> None:
    visitors = [from_network(either_world, NEAR) for _ in range(30)]
    pages = [visitor.get("/device") for visitor in visitors]
    guesses = [
        partial(visitor.submit, page, user_code="BBBB-BBBB")
        for visitor, page in zip(visitors, pages, strict=True)
    ]
    statuses = sorted(answer.status_code for answer in at_once(guesses))
    assert statuses == [*[422] * 20, *[429] * 10]


def test_sec_28_strangers_together_keep_nobody_out_who_signs_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.grants.device_code.ENTERED_BY_STRANGERS", 4)
    register(world, TELEVISION)
    code = codes(world, TELEVISION)["user_code"]
    for number in range(4):
        assert wrong(from_network(world, f"198.51.100.{number}"), 1) == {422}
    visitor = from_network(world, FAR)
    refused = visitor.submit(visitor.get("/device"), user_code=code)
    assert refused.status_code == 429
    assert "Sign in first" in refused.text
    visitor.code(AMARA)
    assert 'value="allow"' in enter(visitor, code).text


def test_sec_28_a_person_guesses_twenty_times_from_wherever(world: World) -> None:
    visitors = [from_network(world, address) for address in (NEAR, FAR)]
    for visitor in visitors:
        visitor.code(AMARA)
        assert wrong(visitor, 10) == {422}
    assert wrong(visitors[0], 1) == {429}


def test_sec_28_the_first_browser_that_names_it_decides(either_world: World) -> None:
    """Better Auth CVE-2026-45337: nobody who has seen the code as well."""
    world = either_world
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    hers, another = world.browser(), world.browser()
    page = question(hers, told["user_code"])
    another.code(DANA)
    assert is_over(enter(another, told["user_code"]))
    stolen = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
    own = re.findall(r'name="csrf_token" value="([^"]+)"', another.get("/device").text)[0]
    form = {**stolen, "csrf_token": own, "decision": "allow"}
    assert another.post("/login/consent", **form).status_code == 400
    assert is_pending(world, told["device_code"])
    assert decide(hers, page) == "allowed"


def test_sec_28_of_ten_browsers_at_once_one_takes_it_up(either_world: World) -> None:
    world = either_world
    register(world, TELEVISION)
    code = codes(world, TELEVISION)["user_code"]
    visitors = [world.browser() for _ in range(10)]
    pages = [visitor.get("/device") for visitor in visitors]
    entering = [
        partial(visitor.submit, page, user_code=code)
        for visitor, page in zip(visitors, pages, strict=True)
    ]
    statuses = sorted(answer.status_code for answer in at_once(entering))
    assert statuses == [303, *[422] * 9]


def test_sec_28_of_two_answers_at_once_one_counts(either_world: World) -> None:
    """The same code in two tabs, a yes in one and a no in the other."""
    world = either_world
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    visitor = world.browser()
    visitor.code(AMARA)
    tabs = [question(visitor, told["user_code"]) for _ in range(4)]
    ended = at_once([partial(decide, visitor, page, "allow") for page in tabs])
    assert sorted(ended) == ["allowed", *["over"] * 3]
    assert world.run("SELECT count(*) FROM grants WHERE client_id = 'television'") == [(1,)]
    assert poll(world, TELEVISION, told["device_code"]).status_code == 200


def without_its_token(visitor: Visitor, page: TestResponse) -> TestResponse:
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
    return visitor.post("/login/consent", **{**fields, "csrf_token": "", "decision": "allow"})


def test_sec_28_a_yes_comes_by_the_pages_own_form(world: World) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    visitor = world.browser()
    page = question(visitor, told["user_code"])
    attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
    assert without_its_token(visitor, page).status_code == 403
    assert visitor.submit(page, path="/login/consent").status_code == 400
    changed = visitor.submit(page, path="/login/consent", decision="allow", shown="0" * 64)
    assert "/authorize" in changed.headers["Location"]
    for path in ("/login/consent", "/authorize"):
        by_address = f"{path}?attempt={attempt}&decision=allow&consented=1"
        assert 'value="allow"' in visitor.follow(visitor.get(by_address)).text
    assert visitor.post("/device", user_code=told["user_code"]).status_code == 403
    assert is_pending(world, told["device_code"])
    assert decide(visitor, page) == "allowed"
    assert visitor.submit(page, path="/login/consent", decision="allow").status_code == 400


def test_sec_28_another_person_in_the_same_browser_is_asked_anew(world: World) -> None:
    register(world, TELEVISION)
    told = codes(world, TELEVISION)
    visitor = world.browser()
    visitor.code(AMARA)
    page = question(visitor, told["user_code"])
    asked = visitor.follow(visitor.authorize("lms", prompt="login"))
    visitor.follow(visitor.submit(asked, email=DANA, password=PASSWORD))
    again = visitor.follow(visitor.submit(page, path="/login/consent", decision="allow"))
    assert "Dana Whitfield" in again.text
    assert 'value="allow"' in again.text
    assert is_pending(world, told["device_code"])


def test_sec_28_the_secrets_of_a_request_are_nowhere_in_the_database(world: World) -> None:
    register(world, TILL)
    told = codes(world, TILL)
    [row] = world.run("SELECT * FROM decoupled_requests")
    kept = " ".join(str(value) for value in row)
    for secret in (told["device_code"], told["user_code"], told["user_code"].replace("-", "")):
        assert secret not in kept
