"""S30: what people allow one by one (RFC 9396) is what the page showed, each time anew."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from idp.errors import SetupMistake
from idp.oidc.client_metadata import TOKEN_EXCHANGE
from tests.credentials.proving import code_of, enrol_app
from tests.flows.test_second_factor_pages import enter
from tests.security.elsewhere import LMS, PAYMENTS, READS, ask_for, redeemed, refreshed, token
from tests.security.protocol import (
    DESCRIPTION,
    Party,
    asked_by,
    is_refused,
    of_people,
    post_as,
    register,
    withdraw,
)
from tests.security.second_factors import demand_a_second_factor
from tests.security.test_sec_19_elsewhere import change
from tests.security.test_sec_29_request_objects import SIGNS, bring, signed
from tests.world import DANA, PASSWORD, Visitor, World, claims_of, sent_back

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

PAYING = {
    "type": "payment",
    "title": "Send a payment",
    "sentence": "A payment of {amount} {currency} to {creditor}",
    "fields": [
        {"name": "amount", "title": "Amount", "kind": "amount"},
        {"name": "currency", "title": "Currency", "choices": ["EUR", "USD"]},
        {"name": "creditor", "title": "To"},
        {"name": "note", "title": "Note", "required": False},
        {"name": "invoices", "title": "Invoices", "kind": "list", "required": False},
    ],
}
LENDING = {
    "type": "loan",
    "title": "Look at a loan",
    "sentence": "Loan {number}",
    "fields": [{"name": "number", "title": "Number"}],
}
RENT = {"type": "payment", "amount": "100.00", "currency": "EUR", "creditor": "Merchant A & B"}
LOAN = {"type": "loan", "number": "L-1"}
TYPES = ["payment", "loan"]
BUYING = of_people("buying", resources=READS, authorization_details_types=TYPES)
OTHERS = of_people(
    "others", first_party=False, resources=READS, authorization_details_types=["payment"]
)


@pytest.fixture
def shop(world: World) -> World:
    return furnished(world)


def furnished(world: World, *parties: Party) -> World:
    world.apply(
        products=[
            {"key": "payments", "name": "Pay", "authorization_details_types": [PAYING]},
            {"key": "lms", "name": "LMS", "authorization_details_types": [LENDING]},
        ]
    )
    register(world, *(parties or (BUYING, OTHERS)))
    return world


def ask(
    visitor: Visitor, party: Party, details: Any, *resources: str, **changed: str | None
) -> TestResponse:
    """The first page after the password."""
    text = details if isinstance(details, str) else json.dumps(details)
    aims = resources or (LMS, PAYMENTS)
    page = ask_for(visitor, party, *aims, authorization_details=text, **changed)
    if page.status_code == 200 and 'name="password"' in page.text:
        page = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
    return page


def allow(visitor: Visitor, page: TestResponse) -> str:
    return sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]


def test_sec_30_the_person_reads_all_of_it_and_the_token_says_the_same(shop: World):
    visitor = shop.browser()
    page = ask(visitor, BUYING, [{**RENT, "invoices": ["7", "8"]}, LOAN])
    shown = html.unescape(page.text)
    for words in (
        "A payment of 100.00 EUR to Merchant A & B",
        "Invoices: <bdi>7<",
        "Invoices: <bdi>8<",
        "Loan L-1",
    ):
        assert words in shown
    given = redeemed(shop, BUYING, allow(visitor, page), PAYMENTS).json or {}
    expected = [{**RENT, "invoices": ["7", "8"]}]
    assert given["authorization_details"] == expected
    assert claims_of(given["access_token"])["authorization_details"] == expected
    assert shop.introspect(given["access_token"], "payments")["authorization_details"] == expected
    own = refreshed(shop, BUYING, given["refresh_token"], LMS).json or {}
    assert own["authorization_details"] == [LOAN]  # each product its own


WRONG: dict[str, Any] = {
    "no JSON": "{",
    "no array": RENT,
    "an empty array": [],
    "no objects": ["payment"],
    "no type": [{"amount": "1"}],
    "a type that is no text": [{**RENT, "type": ["payment"]}],
    "an unknown type": [{"type": "other"}],
    "an unknown field": [{**RENT, "hidden": "x"}],
    "one that no answer may repeat": [{**RENT, 'say "it" and \\ é': "x"}],
    "a field too few": [{"type": "payment", "amount": "1", "currency": "EUR"}],
    "a number": [{**RENT, "amount": 100}],
    "an amount that is none": [{**RENT, "amount": "1e9"}],
    "a negative amount": [{**RENT, "amount": "-1"}],
    "none of the choices": [{**RENT, "currency": "XXX"}],
    "a line break": [{**RENT, "creditor": "A\nB"}],
    "text that turns round": [{**RENT, "creditor": "A \u202e B"}],
    "text that nobody sees": [{**RENT, "creditor": "A\u200bB"}],
    "digits that turn round": [{**RENT, "creditor": "A \u061c1 2"}],
    "a hyphen that nobody sees": [{**RENT, "creditor": "A\u00adB"}],
    "a tag": [{**RENT, "creditor": "A\U000e0041"}],
    "a space": [{**RENT, "creditor": " "}],
    "what looks like one": [{**RENT, "creditor": "\u3164"}],
    "two spaces, shown as one": [{**RENT, "creditor": "A  B"}],
    "another space": [{**RENT, "creditor": "A\u00a0B"}],
    "a space in a list": [{**RENT, "invoices": ["7", " "]}],
    "an empty text": [{**RENT, "creditor": ""}],
    "a long one": [{**RENT, "creditor": "x" * 201}],
    "null": [{**RENT, "note": None}],
    "an object": [{**RENT, "note": {}}],
    "an empty list": [{**RENT, "invoices": []}],
    "a list of numbers": [{**RENT, "invoices": [1]}],
    "eleven": [LOAN] * 11,
    "one of two": [RENT, {"type": "loan"}],
}


def test_sec_30_what_is_not_of_its_type_is_refused_everywhere(shop: World):
    visitor = shop.browser()
    code = allow(visitor, ask(visitor, BUYING, [RENT, LOAN]))
    given = redeemed(shop, BUYING, code).json or {}
    for what, details in WRONG.items():
        text = details if isinstance(details, str) else json.dumps(details)
        told = sent_back(ask(visitor, BUYING, text))
        assert (told["error"], "code" in told) == ("invalid_authorization_details", False), what
        assert DESCRIPTION.fullmatch(told["error_description"]), what
        asked: dict[str, Any] = {**asked_by(BUYING), "resource": [LMS, PAYMENTS]}
        pushed = post_as(shop, BUYING, "/par", **asked, authorization_details=text)
        assert is_refused(pushed, "invalid_authorization_details"), what
        again = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        answer = token(shop, BUYING, LMS, **again, authorization_details=text)
        assert is_refused(answer, "invalid_authorization_details"), what
    alone = sent_back(ask(visitor, BUYING, [RENT], LMS))  # of no product that is named
    assert alone["error"] == "invalid_authorization_details"
    foreign = sent_back(ask(visitor, OTHERS, [LOAN]))  # of no type that it registered
    assert foreign["error"] == "invalid_authorization_details"


def test_sec_30_a_yes_is_for_one_transaction(shop: World):
    visitor = shop.browser()
    first = allow(visitor, ask(visitor, BUYING, [LOAN]))
    assert redeemed(shop, BUYING, first).status_code == 200
    page = ask(visitor, BUYING, [LOAN])
    assert "Loan L-1" in page.text  # the same again is asked again
    silent = sent_back(ask(visitor, BUYING, [LOAN], prompt="none"))
    assert silent["error"] == "consent_required"
    told = sent_back(visitor.follow(visitor.submit(page, decision="deny")))
    assert (told["error"], "code" in told) == ("access_denied", False)
    assert "code" in sent_back(ask_for(visitor, BUYING, LMS))  # without details: first-party


def test_sec_30_the_form_of_other_details_allows_nothing(shop: World):
    visitor = shop.browser()
    small = ask(visitor, BUYING, [{**RENT, "amount": "1.00"}])
    large = ask(visitor, BUYING, [{**RENT, "amount": "9999.00"}])
    mark = small.text.split('name="shown" value="')[1][:64]
    again = visitor.follow(visitor.submit(large, decision="allow", shown=mark))
    assert "9999.00" in again.text
    assert "Location" not in again.headers


def test_sec_30_a_token_request_takes_some_of_them_and_no_others(shop: World):
    visitor = shop.browser()
    second = {**RENT, "creditor": "B"}
    code = allow(visitor, ask(visitor, BUYING, [RENT, second]))
    for wrong in ([{**RENT, "amount": "100.01"}], [RENT, LOAN], [{**RENT, "note": "x"}]):
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": None}
        answer = token(shop, BUYING, PAYMENTS, **form, authorization_details=json.dumps(wrong))
        assert answer.status_code == 400, wrong
    given = redeemed(shop, BUYING, code, PAYMENTS).json or {}
    assert given["authorization_details"] == [RENT, second]
    form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    for details, expected in (([second], [second]), ([RENT, second], [RENT, second])):
        sent = json.dumps(details)
        answer = token(shop, BUYING, PAYMENTS, **form, authorization_details=sent)
        assert (answer.json or {})["authorization_details"] == expected
    for wrong in ([{**RENT, "amount": "100.01"}], [LOAN]):
        sent = json.dumps(wrong)
        answer = token(shop, BUYING, PAYMENTS, **form, authorization_details=sent)
        assert is_refused(answer, "invalid_authorization_details"), wrong


def test_sec_30_nobody_says_yes_for_a_machine_or_by_an_exchange(shop: World):
    machine = Party(
        "night",
        form={
            "grant_types": ["client_credentials", TOKEN_EXCHANGE],
            "scope": "nightly",
            "resources": READS,
            "authorization_details_types": TYPES,
        },
    )
    register(shop, machine)
    sent = {"authorization_details": json.dumps([LOAN])}
    answer = token(shop, machine, grant_type="client_credentials", **sent)
    assert is_refused(answer, "invalid_authorization_details")
    visitor = shop.browser()
    given = redeemed(shop, BUYING, allow(visitor, ask(visitor, BUYING, [LOAN])), LMS).json or {}
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": given["access_token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    answer = token(shop, machine, PAYMENTS, **form, **sent)
    assert is_refused(answer, "invalid_authorization_details")
    handed = token(shop, machine, PAYMENTS, **form).json or {}
    assert "authorization_details" not in claims_of(handed["access_token"])


def test_sec_30_withdrawn_it_is_worth_nothing_at_a_first_party_client_too(shop: World):
    visitor = shop.browser()
    resting = redeemed(shop, BUYING, allow(visitor, ask(visitor, BUYING, [LOAN])), LMS).json or {}
    shop.run("DELETE FROM consents")
    assert not shop.introspect(resting["access_token"])["active"]
    given = redeemed(shop, BUYING, allow(visitor, ask(visitor, BUYING, [LOAN])), LMS).json or {}
    withdraw(visitor)
    assert not shop.introspect(given["access_token"])["active"]
    assert is_refused(refreshed(shop, BUYING, given["refresh_token"], LMS), "invalid_grant")


def test_sec_30_a_type_that_the_client_loses_leaves_its_tokens(shop: World):
    visitor = shop.browser()
    code = allow(visitor, ask(visitor, OTHERS, [RENT], PAYMENTS))
    given = redeemed(shop, OTHERS, code).json or {}
    assert given["authorization_details"] == [RENT]
    change(shop, "UPDATE clients SET authorization_details_types = '[]'")
    assert shop.introspect(given["access_token"], "payments")["authorization_details"] == []
    again = refreshed(shop, OTHERS, given["refresh_token"]).json or {}
    assert "authorization_details" not in again


def test_sec_30_the_step_up_says_what_it_is_for(either_world: World):
    shop = furnished(either_world)
    demand_a_second_factor(shop)
    secret = enrol_app(shop, DANA)
    visitor = shop.browser()
    page = ask(visitor, BUYING, [RENT])
    assert page.request.path == "/login/second_factor"
    assert "A payment of 100.00 EUR to Merchant A &amp; B" in page.text
    page = visitor.follow(enter(visitor, page, code=code_of(secret, shop.clock())))
    assert "A payment of 100.00 EUR to Merchant A &amp; B" in page.text
    given = redeemed(shop, BUYING, allow(visitor, page), PAYMENTS).json or {}
    assert given["authorization_details"] == [RENT]


def test_sec_30_in_a_request_object_they_stand_as_what_they_are(shop: World):
    """RFC 9396 section 3."""
    party = replace(SIGNS, form={**SIGNS.form, "authorization_details_types": ["loan"]})
    register(shop, party)
    visitor = shop.browser()
    for details, is_fit in (([LOAN], True), ([{"type": "loan"}], False)):
        answer = bring(visitor, party, signed(shop, party, authorization_details=details))
        if is_fit:
            page = visitor.follow(answer)
            page = visitor.follow(visitor.submit(page, email=DANA, password=PASSWORD))
            assert "Loan L-1" in page.text
        else:
            assert "error=invalid_" in answer.headers["Location"], details


def test_sec_30_discovery_and_the_file_name_the_types(shop: World):
    told = shop.get("/.well-known/openid-configuration").json or {}
    assert told["authorization_details_types_supported"] == ["loan", "payment"]


MISTAKES: dict[str, dict[str, Any]] = {
    "a field of no name": {"sentence": "{nothing}"},
    "one that may be missing": {"sentence": "{note}"},
    "a list in the sentence": {"sentence": "{invoices}"},
    "a brace alone": {"sentence": "{amount"},
    "two of one name": {"fields": [{"name": "a", "title": "A"}] * 2, "sentence": ""},
    "a field called type": {"fields": [{"name": "type", "title": "A"}], "sentence": ""},
    "no fields": {"fields": [], "sentence": ""},
    "an unknown kind": {"fields": [{"name": "a", "title": "A", "kind": "html"}], "sentence": ""},
    "another product's type": {"type": "loan"},
}


def test_sec_30_what_no_type_can_be(shop: World):
    for what, changed in MISTAKES.items():
        types = [{**PAYING, **changed}]
        product = {"key": "payments", "name": what, "authorization_details_types": types}
        with pytest.raises(SetupMistake):
            shop.apply(products=[product])
    elsewhere = replace(OTHERS, form={**OTHERS.form, "resources": {}})
    with pytest.raises(SetupMistake):
        register(shop, elsewhere)
