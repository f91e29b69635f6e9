"""S28: who is named by a client hears of it, knows what it is, and decides it alone (CIBA)."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest

from tests.credentials.proving import enrol_app
from tests.mailed import mail_for
from tests.security.backchannel_flow import (
    COUNTER,
    PAGE,
    STRANGE,
    answer,
    asked,
    decide,
    listed,
    poll,
    question,
    signed_in,
)
from tests.security.browsing import at_once
from tests.security.elsewhere import READS
from tests.security.protocol import Party, is_refused, register
from tests.security.second_factors import demand_a_second_factor
from tests.security.test_sec_30_details import RENT, furnished
from tests.world import AMARA, BEN, DANA, PASSWORD, World, claims_of

BUYING = Party(
    "buying-counter",
    form={**COUNTER.form, "resources": READS, "authorization_details_types": ["payment"]},
)


def is_pending(world: World, auth_req_id: str) -> bool:
    world.clock.move(60)
    return is_refused(poll(world, COUNTER, auth_req_id), "authorization_pending")


def test_a_letter_leads_to_the_page_and_says_nothing_of_the_message(world: World) -> None:
    register(world, COUNTER)
    asked(world, COUNTER, binding_message="evil.example/win")
    [letter] = [each for each in mail_for(world, AMARA) if "backchannel" in each["template"]]
    assert letter["url"].endswith(PAGE)
    assert letter["product"] == "LMS"
    assert "evil" not in json.dumps(letter)


def test_sec_28_the_pages_name_who_asks_and_for_what(world: World) -> None:
    register(world, STRANGE)
    asked(world, STRANGE, binding_message="W-4711 <b>")
    visitor = signed_in(world)
    page = visitor.get(PAGE).text
    for named in ("The client strange-counter", "W-4711 &lt;b&gt;", "LMS", "This was not me"):
        assert named in page
    page = question(visitor).text
    for named in (
        *("Allow The client strange-counter?", "Northwind Lending", "LMS", "Amara Okafor"),
        *("W-4711 &lt;b&gt;", "Keep access while you are away"),
        "Allow it only if you know of it, and are shown this very message there.",
    ):
        assert named in page
    assert "Not me" not in page, "another person could not answer"


def test_sec_30_details_are_shown_and_given_as_they_were(world: World) -> None:
    furnished(world, BUYING)
    details = json.dumps([RENT])
    auth_req_id = asked(
        *(world, BUYING, DANA), authorization_details=details, resource="urn:product:payments"
    )
    visitor = signed_in(world, DANA)
    page = question(visitor)
    assert "A payment of 100.00 EUR to Merchant A &amp; B" in page.text
    assert decide(visitor, page) == "allowed"
    given = poll(world, BUYING, auth_req_id).json or {}
    assert given["authorization_details"] == [RENT]
    assert claims_of(given["access_token"])["authorization_details"] == [RENT]


def test_sec_28_the_page_lists_what_is_left_of_ones_own(world: World) -> None:
    register(world, COUNTER)
    asked(world, COUNTER, requested_expiry="30")
    asked(world, COUNTER)
    asked(world, COUNTER, DANA)
    visitor = signed_in(world)
    assert len(listed(visitor)) == 2
    world.clock.move(30)
    [name] = listed(visitor)
    answer(visitor, "deny", name)
    assert listed(visitor) == []
    assert "Nobody asks anything of you" in visitor.get(PAGE).text
    for decision in ("look", "deny", "disown"):
        told = visitor.follow(
            visitor.submit(visitor.get("/account"), path=PAGE, request=name, decision=decision)
        )
        assert "has expired, or was answered already" in told.text


@pytest.mark.parametrize("decision", ["look", "deny", "disown"])
def test_sec_28_nobody_else_answers_what_a_person_is_asked(world: World, decision: str) -> None:
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    hers, another = signed_in(world), signed_in(world, DANA)
    [name] = listed(hers)
    own = another.get("/account")
    told = another.follow(another.submit(own, path=PAGE, request=name, decision=decision))
    assert "has expired, or was answered already" in told.text
    nobody = world.browser()
    page = nobody.get("/device")
    nobody.submit(page, path=PAGE, request=name, decision=decision)
    assert hers.post(PAGE, request=name, decision=decision).status_code == 403, "no token"
    assert is_pending(world, auth_req_id)
    assert decide(hers, question(hers)) == "allowed"


def test_sec_28_a_look_and_a_made_up_decision_are_no_answer(world: World) -> None:
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    visitor = signed_in(world)
    page = question(visitor)
    attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
    assert answer(visitor, "allow").status_code == 400
    for path in ("/login/consent", "/authorize", PAGE):
        visitor.get(f"{path}?attempt={attempt}&decision=allow")
    changed = visitor.submit(page, path="/login/consent", decision="allow", shown="0" * 64)
    assert "/authorize" in changed.headers["Location"]
    assert is_pending(world, auth_req_id)


def test_sec_28_another_person_who_signs_in_on_the_way_is_not_heard(world: World) -> None:
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    visitor = signed_in(world)
    page = question(visitor)
    other = visitor.follow(visitor.authorize("lms", prompt="login"))
    visitor.follow(visitor.submit(other, email=DANA, password=PASSWORD))
    again = visitor.follow(visitor.submit(page, path="/login/consent", decision="allow"))
    assert 'name="password"' in again.text
    once_more = visitor.follow(visitor.submit(again, email=DANA, password=PASSWORD))
    assert 'value="allow"' not in once_more.text
    assert is_pending(world, auth_req_id)
    asked_her = visitor.follow(visitor.submit(once_more, email=AMARA, password=PASSWORD))
    assert decide(visitor, asked_her) == "allowed"


def test_sec_28_a_session_that_is_not_enough_for_the_product_allows_nothing(world: World) -> None:
    register(world, Party("counter", form={**COUNTER.form, "product": "payments"}))
    enrol_app(world, DANA)
    auth_req_id = asked(world, COUNTER, DANA)
    visitor = signed_in(world, DANA)
    demand_a_second_factor(world)
    page = visitor.follow(answer(visitor, "look"))
    assert "second_factor" in page.request.path
    attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
    for path in ("/login/consent", "/login/not_open", "/authorize"):
        visitor.submit(page, path=path, attempt=attempt, decision="allow")
    assert is_pending(world, auth_req_id)


def test_sec_28_who_may_open_the_product_no_more_is_let_in_nowhere(world: World) -> None:
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER, BEN)
    visitor = signed_in(world, BEN)
    page = question(visitor)
    world.run("DELETE FROM membership_roles")
    told = visitor.follow(visitor.submit(page, path="/login/consent", decision="allow"))
    assert told.status_code == 403
    visitor.follow(visitor.submit(told, decision="back"))
    assert is_refused(poll(world, COUNTER, auth_req_id), "access_denied")


def test_sec_28_the_browser_that_looked_last_decides(either_world: World) -> None:
    world = either_world
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    first, second = signed_in(world), signed_in(world)
    earlier = question(first)
    page = question(second)
    assert is_pending(world, auth_req_id)
    late = first.follow(first.submit(earlier, path="/login/consent", decision="allow"))
    assert "It is too late for that" in late.text
    assert decide(second, page) == "allowed"
    assert poll(world, COUNTER, auth_req_id).status_code == 200


def test_sec_28_of_a_yes_and_noes_at_once_one_counts(either_world: World) -> None:
    world = either_world
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    visitor = signed_in(world)
    [name] = listed(visitor)
    tabs = [question(visitor) for _ in range(4)]
    ended = at_once([partial(decide, visitor, page, "allow") for page in tabs])
    assert sorted(ended) == ["allowed", *["over"] * 3]
    assert world.run("SELECT count(*) FROM grants WHERE client_id = 'counter'") == [(1,)]
    own = visitor.get("/account")
    told = visitor.follow(visitor.submit(own, path=PAGE, request=name, decision="deny"))
    assert "was answered already" in told.text
    assert poll(world, COUNTER, auth_req_id).status_code == 200


def test_sec_28_the_id_that_is_polled_with_is_nowhere_in_the_database(world: World) -> None:
    register(world, COUNTER)
    auth_req_id = asked(world, COUNTER)
    visitor = signed_in(world)
    assert auth_req_id not in visitor.get(PAGE).text
    [row] = world.run("SELECT * FROM decoupled_requests")
    assert auth_req_id not in " ".join(str(value) for value in row)
    [event] = world.audit("backchannel_request.asked")
    assert auth_req_id not in str(event)
