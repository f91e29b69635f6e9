"""S18: what a token is for (RFC 8707) is what its client may call and the person was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.errors import SetupMistake
from tests.security.elsewhere import (
    CALLING,
    CONNECTIONS,
    LMS,
    PAYMENTS,
    READS,
    ask_for,
    code_for,
    redeemed,
    refreshed,
    token,
    tokens_for,
)
from tests.security.protocol import (
    KEEPING,
    Party,
    asked_by,
    is_refused,
    of_people,
    post_as,
    proof,
    register,
    together,
    withdraw,
)
from tests.world import AMARA, BEN, DANA, PASSWORD, World, claims_of, sent_back

OTHERS = of_people("others", resources=READS, first_party=False)
MACHINE = Party(
    "night",
    form={
        "grant_types": ["client_credentials"],
        "scope": "nightly",
        "permissions": ["reports.read"],
        "resources": READS,
    },
)


def scoped(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return claims_of(answer.json["access_token"])


def test_sec_18_a_token_is_for_one_product_and_carries_what_the_person_may_there(world: World):
    register(world, CALLING)
    code = code_for(world.browser(), CALLING, LMS, PAYMENTS)
    given = redeemed(world, CALLING, code, PAYMENTS).json or {}
    there = claims_of(given["access_token"])
    assert (there["aud"], there["permissions"]) == (PAYMENTS, ["payouts.read"])
    about = claims_of(given["id_token"])
    assert about["aud"] == CALLING.client_id
    assert "loans.read" in about["permissions"]
    own = scoped(refreshed(world, CALLING, given["refresh_token"], LMS))
    assert (LMS in own["aud"], "loans.read" in own["permissions"]) == (True, True)
    unsaid = scoped(refreshed(world, CALLING, given["refresh_token"]))
    assert unsaid["aud"] == own["aud"]  # the first that was named


def test_sec_18_who_names_no_resource_has_their_own(world: World):
    register(world, CALLING)
    given = tokens_for(world, CALLING)
    assert LMS in claims_of(given["access_token"])["aud"]
    for resource in (PAYMENTS, CONNECTIONS):
        wider = refreshed(world, CALLING, given["refresh_token"], resource)
        assert is_refused(wider, "invalid_target")


REFUSED = {
    "of no product": ["urn:product:none"],
    "no address": ["payments"],
    "with a fragment": [f"{PAYMENTS}#x"],
    "in capitals": [PAYMENTS.upper()],
    "longer": [f"{PAYMENTS}/"],
    "of a product that the client may not call": [CONNECTIONS],
    "of the console": ["urn:product:console"],
    "one of two": [PAYMENTS, CONNECTIONS],
    "two in one": [f"{PAYMENTS} {LMS}"],
}


def test_sec_18_what_no_client_gets_by_asking(world: World):
    register(world, CALLING, MACHINE)
    visitor = world.browser()
    code = code_for(visitor, CALLING, PAYMENTS)
    for what, resources in REFUSED.items():
        told = sent_back(ask_for(visitor, CALLING, *resources))
        assert (told["error"], "code" in told) == ("invalid_target", False), what
        pushed = post_as(world, CALLING, "/par", **pushable(resources))
        assert is_refused(pushed, "invalid_target"), what
        assert is_refused(redeemed(world, CALLING, code, *resources), "invalid_target"), what
        machine = token(world, MACHINE, *resources, grant_type="client_credentials")
        assert is_refused(machine, "invalid_target"), what
    own = redeemed(world, CALLING, code, LMS)  # which the grant was not asked for
    assert is_refused(own, "invalid_target")
    both = redeemed(world, CALLING, code, PAYMENTS, LMS)
    assert is_refused(both, "invalid_target")
    assert scoped(redeemed(world, CALLING, code))["aud"] == PAYMENTS  # nothing spent the code


def pushable(resources: list[str]) -> dict[str, Any]:
    return {**asked_by(CALLING), "resource": resources}


def test_sec_18_a_pushed_request_keeps_its_resources(world: World):
    register(world, CALLING)
    pushed = post_as(world, CALLING, "/par", **pushable([PAYMENTS, LMS])).json or {}
    visitor = world.browser()
    query = {"client_id": CALLING.client_id, "request_uri": pushed["request_uri"]}
    page = visitor.follow(visitor.get(f"/authorize?{urlencode(query)}"))
    answer = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    given = scoped(redeemed(world, CALLING, sent_back(answer)["code"]))
    assert given["aud"] == PAYMENTS


def test_sec_18_who_does_not_open_the_other_product_gets_no_code_for_it(world: World):
    register(world, CALLING)
    visitor = world.browser()
    page = ask_for(visitor, CALLING, PAYMENTS)
    page = visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    assert page.status_code == 403
    assert "Secure Payments" in page.text
    told = sent_back(visitor.follow(visitor.submit(page, decision="back")))
    assert (told["error"], "code" in told) == ("access_denied", False)
    told = sent_back(ask_for(visitor, CALLING, PAYMENTS, prompt="none"))
    assert told["error"] == "access_denied"
    assert code_for(visitor, CALLING)


def test_sec_18_a_machines_token_for_another_product_has_its_permissions_there(world: World):
    register(world, MACHINE)
    for resources, aud, permissions in (
        ([], LMS, ["reports.read"]),
        ([LMS], LMS, ["reports.read"]),
        ([PAYMENTS], PAYMENTS, ["payouts.read"]),
    ):
        answer = token(world, MACHINE, *resources, grant_type="client_credentials")
        given = scoped(answer)
        assert (given["aud"], given["permissions"]) == (aud, permissions)
        minted = (answer.json or {})["access_token"]
        seen = {key: world.introspect(minted, key)["active"] for key in ("lms", "payments")}
        assert seen == {"lms": aud == LMS, "payments": aud == PAYMENTS}


def test_sec_18_another_products_token_is_seen_there_alone(world: World):
    register(world, CALLING)
    minted = tokens_for(world, CALLING, PAYMENTS)["access_token"]
    seen = {key: world.introspect(minted, key) for key in ("lms", "payments", "connections")}
    assert [key for key, told in seen.items() if told["active"]] == ["payments"]
    assert seen["payments"]["permissions"] == ["payouts.read"]
    assert world.userinfo(minted).status_code in (401, 403)
    switcher = world.get("/switcher", Authorization=f"Bearer {minted}")
    assert switcher.status_code in (401, 403)


SCOPE_OF_CONSENT = ("See payouts", "Secure Payments")


def test_sec_30_consent_names_the_other_product_and_a_wider_client_gets_no_more(world: World):
    register(world, OTHERS)
    visitor = world.browser()
    page = ask_for(visitor, OTHERS, PAYMENTS)
    page = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    assert all(words in page.text for words in SCOPE_OF_CONSENT)
    answer = visitor.follow(visitor.submit(page, decision="allow"))
    given = redeemed(world, OTHERS, sent_back(answer)["code"]).json or {}
    assert claims_of(given["access_token"])["permissions"] == ["payouts.read"]
    assert claims_of(given["access_token"])["roles"] == []
    wider = {"payments": ["payouts.read", "payouts.send"]}
    register(world, replace(OTHERS, form={**OTHERS.form, "resources": wider}))
    seen = world.introspect(given["access_token"], "payments")
    assert seen["permissions"] == ["payouts.read"]
    again = scoped(refreshed(world, OTHERS, given["refresh_token"]))
    assert again["permissions"] == ["payouts.read"]
    assert "consent" in ask_for(visitor, OTHERS, PAYMENTS).request.path
    withdraw(visitor)
    assert not world.introspect(given["access_token"], "payments")["active"]
    assert is_refused(refreshed(world, OTHERS, given["refresh_token"]), "invalid_grant")


MISTAKES: dict[str, dict[str, Any]] = {
    "no product": {"resources": {"none": []}},
    "its own": {"resources": {"lms": []}},
    "a console": {"resources": {"console": []}},
    "the platform": {"resources": {"platform": []}},
    "no node of that tree": {"resources": {"payments": ["loans.read"]}},
    "no list": {"resources": {"payments": "payouts.read"}},
    "of a console's": {"product": "console", "resources": READS},
}


@pytest.mark.parametrize("what", MISTAKES)
def test_sec_18_what_no_client_can_be_registered_for(world: World, what: str):
    wrong = replace(KEEPING, client_id="wrong", form={**KEEPING.form, **MISTAKES[what]})
    with pytest.raises(SetupMistake):
        register(world, wrong)


def test_sec_79_a_node_that_leaves_the_tree_and_comes_again_is_no_clients(world: World):
    register(world, CALLING)
    for tree in ([], [{"key": "payouts.read", "name": "See payouts"}]):
        product = {"key": "payments", "name": "Secure Payments", "permissions": tree}
        world.apply(products=[product])
    ((kept,),) = world.run("SELECT resources FROM clients WHERE client_id = 'calling'")
    assert kept == '{"payments":[]}'


def test_sec_18_many_at_once_get_what_each_asked_for(either_world: World):
    register(either_world, CALLING)
    given = tokens_for(either_world, CALLING, PAYMENTS, LMS)

    def one(number: int) -> Any:
        resource = (PAYMENTS, LMS)[number % 2]
        return resource, refreshed(either_world, CALLING, given["refresh_token"], resource)

    for resource, answer in together(6, one):
        assert resource in scoped(answer)["aud"]
        assert (scoped(answer)["permissions"] == ["payouts.read"]) is (resource == PAYMENTS)


def test_sec_18_another_clients_proof_gets_nothing_of_it(world: World):
    register(world, CALLING, KEEPING)
    given = tokens_for(world, CALLING, PAYMENTS)
    headers, _fields = proof(world, KEEPING)
    answer = world.post(
        "/token",
        headers,
        grant_type="refresh_token",
        refresh_token=given["refresh_token"],
        resource=LMS,
    )
    assert is_refused(answer, "invalid_grant")
    assert claims_of(tokens_for(world, CALLING, email=AMARA)["access_token"])["permissions"]
