"""S26: a product calls another one for somebody, and gets no more than token, client and person
have between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from idp.oidc.client_metadata import TOKEN_EXCHANGE
from tests.credentials.proving import code_of, enrol_app
from tests.flows.test_second_factor_pages import enter
from tests.security.elsewhere import CONNECTIONS, LMS, PAYMENTS, ask_for, code_for, redeemed
from tests.security.elsewhere import tokens_for as tokens_elsewhere
from tests.security.protocol import (
    Party,
    answer_to,
    is_refused,
    of_people,
    post_as,
    proof,
    redeem,
    refresh,
    register,
    revoke,
    tokens_for,
    withdraw,
)
from tests.security.second_factors import demand_a_second_factor
from tests.security.test_sec_19_elsewhere import change
from tests.world import BEN, DANA, HANA, PASSWORD, Visitor, World, claims_of, sent_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
IDENTITY = "urn:ietf:params:oauth:token-type:id_token"
REFRESH = "urn:ietf:params:oauth:token-type:refresh_token"


def an_api(client_id: str, product: str, resources: dict[str, list[str]], **form: Any) -> Party:
    """The back end of a product, which signs nobody in."""
    usual = {"grant_types": [TOKEN_EXCHANGE], "scope": "openid profile email offline_access"}
    return Party(
        client_id,
        form={
            **usual,
            "product": product,
            "resources": resources,
            "first_party": True,
            **form,
        },
    )


APP = of_people("app")
THIRD = of_people("third", first_party=False)
LENDING = an_api("lms-api", "lms", {"payments": ["payouts.read"]})
PAYING = an_api("payments-api", "payments", {"connections": ["connections.read"], "lms": []})
CONNECTING = an_api("connections-api", "connections", {"lms": ["loans.read"]})
ALL = (APP, LENDING, PAYING, CONNECTING)


def exchange(world: World, party: Party, subject: str, **changed: Any) -> TestResponse:
    sound = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": subject,
        "subject_token_type": ACCESS,
        "resource": PAYMENTS,
    }
    return post_as(world, party, "/token", **{**sound, **changed})


def exchanged(world: World, party: Party, subject: str, resource: str = PAYMENTS) -> str:
    answer = exchange(world, party, subject, resource=resource)
    assert answer.status_code == 200, answer.text
    return str((answer.json or {})["access_token"])


def a_token(world: World, email: str = DANA, scope: str = "openid profile") -> str:
    return str(tokens_for(world, APP, email, scope=scope)["access_token"])


def test_sec_26_the_other_product_sees_the_person_and_who_acts_for_them(world: World):
    register(world, *ALL)
    subject = a_token(world)
    world.clock.move(60)
    answer = exchange(world, LENDING, subject)
    given = answer.json or {}
    assert answer.headers["Cache-Control"] == "no-store"
    assert sorted(given) == [
        *("access_token", "expires_in", "issued_token_type", "scope", "token_type"),
    ]
    assert (given["issued_token_type"], given["token_type"]) == (ACCESS, "Bearer")
    before, after = claims_of(subject), claims_of(given["access_token"])
    same = ("sub", "grant_id", "tenant_id", "acr", "amr", "auth_time", "exp")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert given["expires_in"] == before["exp"] - after["iat"]
    assert (after["aud"], after["client_id"]) == (PAYMENTS, LENDING.client_id)
    assert after["act"] == {"sub": LENDING.client_id}
    assert (after["permissions"], after["scope"]) == (["payouts.read"], "profile")
    seen = world.introspect(given["access_token"], "payments")
    assert (seen["active"], seen["act"]) == (True, {"sub": LENDING.client_id})
    assert seen["permissions"] == ["payouts.read"]
    for other in ("lms", "connections"):
        assert not world.introspect(given["access_token"], other)["active"]
    assert world.userinfo(given["access_token"]).status_code in (401, 403)
    (event,) = world.audit("token.exchanged")
    assert (event["actor"], event["client"]) == (before["sub"], LENDING.client_id)
    assert event["product"] == "payments"


def test_sec_26_it_is_handed_on_so_often_and_no_more(world: World):
    register(world, *ALL)
    token, ring = a_token(world), [(LENDING, PAYMENTS), (PAYING, CONNECTIONS), (CONNECTING, LMS)]
    for party, resource in (*ring, ring[0]):
        token = exchanged(world, party, token, resource)
    act: Any = claims_of(token)["act"]
    chain = []
    while act:
        chain.append(act["sub"])
        act = act.get("act")
    assert chain == ["lms-api", "connections-api", "payments-api", "lms-api"]
    assert world.introspect(token, "payments")["active"]
    more = exchange(world, PAYING, token, resource=CONNECTIONS)
    assert is_refused(more, "invalid_request")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no subject": ({"subject_token": None}, "invalid_request"),
    "an empty one": ({"subject_token": ""}, "invalid_request"),
    "not a token": ({"subject_token": "x.y.z"}, "invalid_request"),
    "no type": ({"subject_token_type": None}, "invalid_request"),
    "an ID token's type": ({"subject_token_type": IDENTITY}, "invalid_request"),
    "a refresh token is wanted": ({"requested_token_type": REFRESH}, "invalid_request"),
    "an ID token is wanted": ({"requested_token_type": IDENTITY}, "invalid_request"),
    "an actor": ({"actor_token": "x", "actor_token_type": ACCESS}, "invalid_request"),
    "an actor's type alone": ({"actor_token_type": ACCESS}, "invalid_request"),
    "no target": ({"resource": None}, "invalid_target"),
    "no product": ({"resource": "urn:product:none"}, "invalid_target"),
    "one that it may not call": ({"resource": CONNECTIONS}, "invalid_target"),
    "its own": ({"resource": LMS}, "invalid_target"),
    "the console": ({"resource": "urn:product:console"}, "invalid_target"),
    "no audience": ({"resource": None, "audience": "nobody"}, "invalid_target"),
    "two targets": ({"resource": [PAYMENTS, LMS]}, "invalid_target"),
    "target and audience apart": ({"audience": "lms"}, "invalid_target"),
    "a scope of neither": ({"scope": "admin"}, "invalid_scope"),
    "a scope of the client alone": ({"scope": "email"}, "invalid_scope"),
    "offline access": ({"scope": "profile offline_access"}, "invalid_scope"),
    "openid": ({"scope": "openid"}, "invalid_scope"),
}


def test_sec_26_every_fault_has_its_code_and_gives_nothing(world: World):
    register(world, *ALL)
    subject = a_token(world, scope="openid profile offline_access")
    for what, (changed, error) in WRONG.items():
        assert is_refused(exchange(world, LENDING, subject, **changed), error), what
    for name in ("subject_token", "subject_token_type", "grant_type", "scope"):
        twice = exchange(world, LENDING, subject, **{name: ["profile", "profile"]})
        assert is_refused(twice, "invalid_request"), name
    assert not world.audit("token.exchanged")
    for sound in (
        {"audience": "payments"},
        {"resource": None, "audience": "payments"},
        {"resource": None, "audience": PAYMENTS},
        {"resource": [PAYMENTS, PAYMENTS]},
        {"requested_token_type": ACCESS, "scope": "profile"},
    ):
        assert exchange(world, LENDING, subject, **sound).status_code == 200, sound


def test_sec_26_not_every_token_is_somebodys_access_token_for_the_caller(world: World):
    machine = Party("night", form={"grant_types": ["client_credentials"], "scope": "nightly"})
    register(world, *ALL, machine)
    given = tokens_for(world, APP, DANA)
    own = post_as(world, machine, "/token", grant_type="client_credentials").json or {}
    subjects = {
        "an ID token": given["id_token"],
        "a refresh token": given["refresh_token"],
        "a machine's": own["access_token"],
        "half of one": given["access_token"][:-10],
        "another issuer's": given["access_token"].swapcase(),
    }
    for what, subject in subjects.items():
        assert is_refused(exchange(world, LENDING, subject), "invalid_request"), what
    elsewhere = exchange(world, PAYING, given["access_token"], resource=CONNECTIONS)
    assert is_refused(elsewhere, "invalid_request")  # it is not for Payments


def test_sec_26_who_may_not_exchange(world: World):
    without = an_api("without", "lms", {"payments": []}, grant_types=["client_credentials"])
    register(world, *ALL, without)
    subject = a_token(world)
    assert is_refused(exchange(world, without, subject), "unauthorized_client")
    assert is_refused(exchange(world, APP, subject), "unauthorized_client")
    stranger = replace(LENDING, client_id="nobody")
    assert is_refused(exchange(world, stranger, subject), "invalid_client", 401)
    headers, _fields = proof(world, LENDING)
    in_query = world.post("/token?subject_token=x", headers, grant_type=TOKEN_EXCHANGE)
    assert is_refused(in_query, "invalid_request")


def test_sec_26_a_person_gets_no_further_than_their_roles(world: World):
    register(world, *ALL)
    for email in (BEN, HANA):
        answer = exchange(world, LENDING, a_token(world, email))
        assert (answer.status_code == 200) is (email == HANA), email
    machine = an_api("northwinds", "lms", {"payments": ["payouts.read"]}, tenant="northwind")
    register(world, machine)
    assert is_refused(exchange(world, machine, a_token(world, HANA)), "invalid_target")
    assert exchange(world, machine, a_token(world, DANA)).status_code == 200


def test_sec_26_the_other_products_second_factor_is_not_got_around(either_world: World):
    register(either_world, *ALL)
    secret = enrol_app(either_world, DANA)
    before = a_token(either_world)
    demand_a_second_factor(either_world)
    refused = exchange(either_world, LENDING, before)
    assert is_refused(refused, "invalid_target")
    assert "second factor" in (refused.json or {})["error_description"]
    visitor = either_world.browser()
    page = answer_to(visitor, APP, DANA, acr_values="aal2", scope="openid profile")
    answer = visitor.follow(enter(visitor, page, code=code_of(secret, either_world.clock())))
    raised = (redeem(either_world, APP, sent_back(answer)["code"]).json or {})["access_token"]
    assert exchange(either_world, LENDING, raised).status_code == 200
    change(either_world, "UPDATE products SET second_factor_minutes = 5 WHERE key = 'payments'")
    either_world.clock.move(301)
    assert is_refused(exchange(either_world, LENDING, raised), "invalid_target")


ENDS: dict[str, str | Callable[[World, dict[str, Any]], Any]] = {
    "of the grant": "UPDATE grants SET ended_at = 1",
    "of the session": "UPDATE sessions SET ended_at = 1",
    "of the person": "UPDATE users SET status = 'disabled'",
    "of the membership": "UPDATE memberships SET status = 'disabled'",
    "of the tenant": "UPDATE tenants SET status = 'suspended'",
    "of every role": "DELETE FROM membership_roles",
    "of the client that people came by": "UPDATE clients SET status = 'disabled'"
    " WHERE client_id = 'app'",
    "of the client that acts": "UPDATE clients SET status = 'disabled' WHERE client_id = 'lms-api'",
    "of its right to exchange": "UPDATE clients SET grant_types = '[]' WHERE client_id = 'lms-api'",
    "of its right to call": "UPDATE clients SET resources = '{}' WHERE client_id = 'lms-api'",
    "by the one who came": lambda world, given: revoke(world, APP, given["refresh_token"]),
    "by the one who acts": lambda world, given: revoke(world, LENDING, given["exchanged"]),
    "of its time": lambda world, given: world.clock.move(601),
}


@pytest.mark.parametrize("what", ENDS)
def test_sec_26_it_is_dead_at_the_end(world: World, what: str):
    register(world, *ALL)
    given = tokens_for(world, APP, DANA, scope="openid profile")
    given["exchanged"] = exchanged(world, LENDING, given["access_token"])
    onward = exchanged(world, PAYING, given["exchanged"], CONNECTIONS)
    assert world.introspect(onward, "connections")["active"]
    end = ENDS[what]
    if isinstance(end, str):
        change(world, end)
    else:
        end(world, given)
    assert not world.introspect(given["exchanged"], "payments")["active"]
    again = exchange(world, LENDING, given["access_token"])
    if what == "by the one who acts":
        assert again.status_code == 200  # the token alone has ended
        return
    assert again.status_code in (400, 401)
    assert not world.introspect(onward, "connections")["active"]


def test_sec_26_permissions_are_what_is_left_between_all_three(world: World):
    register(world, *ALL)
    token = exchanged(world, LENDING, a_token(world))
    wider = replace(LENDING, form={**LENDING.form, "resources": {"payments": ["payouts.send"]}})
    register(world, wider)
    assert world.introspect(token, "payments")["permissions"] == []
    register(world, LENDING)
    both = replace(
        LENDING,
        form={**LENDING.form, "resources": {"payments": ["payouts.read", "payouts.send"]}},
    )
    register(world, both)
    assert world.introspect(token, "payments")["permissions"] == ["payouts.read"]
    change(world, "DELETE FROM role_permissions WHERE permission_key = 'payouts.read'")
    assert world.introspect(token, "payments")["permissions"] == []


def test_sec_26_by_anothers_client_people_reach_what_they_allowed(world: World):
    reads = {"payments": ["payouts.read", "payouts.send"]}
    helping = replace(LENDING, form={**LENDING.form, "resources": reads})
    narrow = of_people("narrow", first_party=False, resources={"payments": ["payouts.read"]})
    register(world, THIRD, narrow, helping)
    _, subject = allowed(world, THIRD)
    assert is_refused(exchange(world, helping, subject), "invalid_target")
    visitor, subject = allowed(world, narrow, LMS, PAYMENTS)
    token = exchanged(world, helping, subject)
    assert claims_of(token)["permissions"] == ["payouts.read"]
    withdraw(visitor)
    assert not world.introspect(token, "payments")["active"]


def allowed(world: World, party: Party, *resources: str) -> tuple[Visitor, str]:
    """A browser, and the token of a client that the person has allowed to act for them."""
    visitor = world.browser()
    page = ask_for(visitor, party, *resources)
    page = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    answer = visitor.follow(visitor.submit(page, decision="allow"))
    given = redeem(world, party, sent_back(answer)["code"]).json or {}
    return visitor, given["access_token"]


def test_sec_26_a_token_for_the_caller_by_resource_can_be_handed_on(world: World):
    calling = of_people("calling", resources={"payments": ["payouts.read"]})
    register(world, *ALL, calling)
    subject = tokens_elsewhere(world, calling, PAYMENTS)["access_token"]
    token = exchanged(world, PAYING, subject, CONNECTIONS)
    assert world.introspect(token, "connections")["active"]
    register(world, replace(calling, form={**calling.form, "resources": {}}))
    assert not world.introspect(token, "connections")["active"]
    assert refresh(world, PAYING, subject).status_code == 400
    assert redeemed(world, calling, code_for(world.browser(), calling)).status_code == 200
