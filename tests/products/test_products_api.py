"""The products' APIs: access tokens checked offline, and the permission that each route needs."""

import time

import pytest
import requests
from joserfc.jwk import ECKey


def ask(product, path, token=None, *, scheme="Bearer", key=None, **options):
    headers = {"Authorization": f"{scheme} {token}"} if token else {}
    if key:
        headers["Idempotency-Key"] = key
    method = "POST" if "json" in options else "GET"
    return requests.request(method, product.url(path), headers=headers, timeout=10, **options)


def test_a_good_token_reads_the_loans_of_its_tenant(provider, loans):
    answer = ask(loans, "/api/loans", provider.access_token("lms", "harbor"))
    assert answer.status_code == 200
    assert answer.json()["loans"][0]["borrower"] == "Amara Okafor"
    assert answer.headers["Cache-Control"] == "no-store"


def test_each_product_has_its_api(provider, payouts, services):
    assert ask(payouts, "/api/payouts", provider.access_token("payments")).json()["payouts"]
    found = ask(services, "/api/connections", provider.access_token("connections")).json()
    assert {one["status"] for one in found["connections"]} == {"connected", "attention", "paused"}


def test_without_a_token_the_challenge_names_no_error(loans):
    """RFC 6750 section 3.1."""
    answer = ask(loans, "/api/loans")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="urn:product:lms"'
    assert ask(loans, "/api/loans", "abc", scheme="Basic").status_code == 401


NOW = int(time.time())


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": ["urn:product:payments"]},
        {"aud": "lms"},
        {"exp": NOW - 60},
        {"exp": None},
        {"nbf": NOW + 86_400},
        {"sub": None},
        {"cnf": {"jkt": "x"}},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(provider, loans, wrong):
    answer = ask(loans, "/api/loans", provider.access_token("lms", **wrong))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_that_is_no_access_token_is_refused(provider, loans):
    claims = provider.person_claims("lms", None) | {"aud": "urn:product:lms"}
    assert ask(loans, "/api/loans", provider.sign(claims, typ="JWT")).status_code == 401
    assert ask(loans, "/api/loans", provider.sign(claims, typ=None)).status_code == 401
    assert ask(loans, "/api/loans", provider.id_token("lms")).status_code == 401
    assert ask(loans, "/api/loans", "a.b.c").status_code == 401
    assert ask(loans, "/api/loans", provider.sign(claims, typ="at+jwt")).status_code == 200


def test_a_token_signed_by_another_key_is_refused(provider, loans):
    impostor = type(provider)(issuer=provider.issuer)
    impostor.key = ECKey.generate_key("P-256", {"kid": provider.key.kid})
    assert ask(loans, "/api/loans", impostor.access_token("lms")).status_code == 401


def test_a_few_seconds_of_clock_difference_are_forgiven(provider, loans):
    just_over = provider.access_token("lms", exp=int(time.time()) - 4)
    assert ask(loans, "/api/loans", just_over).status_code == 200


def test_a_missing_permission_is_forbidden(provider, loans):
    token = provider.access_token("lms", permissions=["reports.read"])
    answer = ask(loans, "/api/loans", token)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_the_keys_are_fetched_once(provider, loans):
    for _ in range(5):
        ask(loans, "/api/loans", provider.access_token("lms"))
    assert provider.calls.count("/jwks") == 1


def test_an_api_whose_provider_is_away_says_so(provider, loans):
    token = provider.access_token("lms")
    provider.metadata = lambda: {"issuer": "https://evil.example"}
    assert ask(loans, "/api/loans", token).status_code == 503


ORDER = {"payee": "hollis", "amount": "120.50", "purpose": "Refund"}


def test_a_payout_can_be_sent_by_those_who_may(provider, payouts):
    may_not = provider.access_token("payments", permissions=["payouts.read"])
    assert ask(payouts, "/api/payouts", may_not, json=ORDER).status_code == 403
    answer = ask(payouts, "/api/payouts", provider.access_token("payments"), json=ORDER)
    assert answer.status_code == 201
    assert answer.json()["amount"] == "120.50"
    newest = ask(payouts, "/api/payouts", provider.access_token("payments")).json()["payouts"][0]
    assert newest["reference"] == answer.json()["reference"]


@pytest.mark.parametrize("body", [{}, [], "x", {"payee": "hollis", "amount": "-1"}])
def test_an_order_that_makes_no_sense_is_explained(provider, payouts, body):
    answer = ask(payouts, "/api/payouts", provider.access_token("payments"), json=body)
    assert answer.status_code == 422
    assert "purpose" in answer.json()["fields"]


@pytest.mark.parametrize(
    "weak",
    [{"auth_time": int(time.time()) - 900}, {"acr": "aal1"}, {"acr": None}, {"acr": ["aal2"]}],
    ids=["too old", "one factor", "no class", "no word"],
)
def test_a_large_payout_asks_for_a_recent_second_factor(provider, payouts, weak):
    """RFC 9470: the challenge says how strong and how old the sign-in may be."""
    large = ORDER | {"amount": "10,000"}
    answer = ask(payouts, "/api/payouts", provider.access_token("payments", **weak), json=large)
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'max_age="300"' in challenge
    assert 'acr_values="aal2 phr"' in challenge
    fresh = provider.access_token("payments")
    assert ask(payouts, "/api/payouts", fresh, json=large).status_code == 201


def test_a_payout_with_a_key_is_sent_once(provider, payouts):
    def send(sub, key=None):
        token = provider.access_token("payments", sub=sub)
        return ask(payouts, "/api/payouts", token, key=key, json=ORDER).json()["reference"]

    first = send("person-1", "a")
    assert send("person-1", "a") == first
    others = [send("person-1", "b"), send("person-2", "a"), send("person-1"), send("person-1")]
    assert len({first, *others}) == 5
