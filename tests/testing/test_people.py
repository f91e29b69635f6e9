"""People of a provider under test, and how they are signed in: by its pages alone."""

from __future__ import annotations

import pytest

from idp.testing import Latchkey, LatchkeyError, NotSignedIn
from tests.machine.under_test import CALLBACK
from tests.world import claims_of

AAL2 = {"acr_values": "aal2"}
ADA = "ada@acme.example"
GUARDED = {
    "products": [
        {
            "key": "vault",
            "name": "Vault",
            "second_factor": True,
            "permissions": [{"key": "open", "name": "Open"}, {"key": "fill", "name": "Fill"}],
        }
    ]
}


def test_somebody_is_there_at_once_and_signs_in_for_tokens(under_test: Latchkey) -> None:
    ada = under_test.user(ADA)
    visit = under_test.sign_in(ada, "wiki")
    assert visit.redirect.startswith(f"{CALLBACK}?code=")
    assert visit.steps == ["password"]
    claims = claims_of(visit.tokens["id_token"])
    assert (claims["sub"], claims["iss"]) == (ada.id, under_test.issuer)
    assert (claims["nonce"], claims["tenant"]) == (visit.nonce, "acme")
    assert claims["permissions"] == ["use"]


def test_a_code_is_good_once_here_too(under_test: Latchkey) -> None:
    visit = under_test.sign_in(under_test.user(), "wiki")
    assert visit.tokens
    again = {"code": visit.code, "redirect_uri": CALLBACK, "code_verifier": visit.code_verifier}
    with pytest.raises(LatchkeyError) as refused:
        under_test.tokens("wiki", grant_type="authorization_code", **again)
    assert refused.value.told["error"] == "invalid_grant"


def test_permissions_and_roles_are_those_that_are_asked_for(under_test: Latchkey) -> None:
    under_test.client("notes", CALLBACK, nodes=["read", "write"], scope="openid profile")
    role = {"key": "clerk", "name": "Clerk", "permissions": {"notes": ["read"]}}
    under_test.apply({"tenants": [{"slug": "harbor", "name": "Harbor", "roles": [role]}]})
    people = {
        ("read", "write"): under_test.user(),
        ("write",): under_test.user(permissions={"notes": ["write"]}),
        ("read",): under_test.user(tenant="harbor", roles=["clerk"]),
    }
    for expected, person in people.items():
        claims = claims_of(under_test.sign_in(person, "notes").tokens["id_token"])
        assert tuple(sorted(claims["permissions"])) == expected
        assert (claims["roles"] == ["clerk"]) == (expected == ("read",))
    with pytest.raises(NotSignedIn, match="Your roles at Acme do not open notes"):
        under_test.sign_in(under_test.user(permissions={}), "notes")


@pytest.mark.parametrize("factor", ["totp", "sms", "email", "passkey"])
def test_a_second_factor_is_proven_by_its_page(under_test: Latchkey, factor: str) -> None:
    under_test.apply(GUARDED)
    under_test.client("vault", CALLBACK, product="vault")
    person = under_test.user(factors=[factor])
    visit = under_test.sign_in(person, "vault")
    assert visit.steps == ["password", factor]
    assert "mfa" in claims_of(visit.tokens["id_token"])["amr"]
    sent = under_test.sms(person.phone) if factor == "sms" else under_test.mail(person.email)
    codes = [code for letter in sent for code in letter.codes]
    assert len(codes) == (factor in ("sms", "email"))


def test_of_several_the_one_is_used_that_is_asked_for(under_test: Latchkey) -> None:
    person = under_test.user(factors=["totp", "passkey", "sms"])
    for method in ("passkey", "totp"):
        visit = under_test.sign_in(person, "wiki", parameters=AAL2, method=method)
        assert visit.steps == ["password", method]
    with pytest.raises(NotSignedIn):  # it is too weak for that
        under_test.sign_in(person, "wiki", parameters=AAL2, method="sms")


def test_a_code_of_an_app_is_good_once_until_the_clock_moves_on(under_test: Latchkey) -> None:
    person = under_test.user(factors=["totp"])
    assert under_test.sign_in(person, "wiki", parameters=AAL2).steps == ["password", "totp"]
    with pytest.raises(NotSignedIn, match="That code did not work"):
        under_test.sign_in(person, "wiki", parameters=AAL2)
    under_test.advance(30)
    assert under_test.sign_in(person, "wiki", parameters=AAL2).steps == ["password", "totp"]


def test_a_passkey_signs_in_alone(under_test: Latchkey) -> None:
    person = under_test.user(password=None)
    exported = under_test.virtual_passkey(person)
    assert (exported["rpId"], exported["isResidentCredential"]) == ("localhost", True)
    visit = under_test.sign_in(person, "wiki", by="passkey")
    assert visit.steps == ["passkey"]
    assert claims_of(visit.tokens["id_token"])["acr"] == "phr"
    with pytest.raises(NotSignedIn):
        under_test.sign_in(under_test.user(), "wiki", by="passkey")


def test_a_browser_that_has_been_here_opens_the_next_product_without_a_page(
    under_test: Latchkey,
) -> None:
    under_test.client("notes", "http://localhost:9001/callback")
    ada = under_test.user(ADA)
    first = under_test.sign_in(ada, "wiki")
    assert under_test.sign_in(ada, "notes", browser=first).steps == []
    assert under_test.sign_in(ada, "notes").steps == ["password"]


def test_of_several_companies_the_one_is_chosen_that_is_asked_for(under_test: Latchkey) -> None:
    role = {"key": "reader", "name": "Reader", "permissions": {"wiki": ["use"]}}
    companies = [{"slug": slug, "name": slug, "roles": [role]} for slug in ("harbor", "northwind")]
    within = [{"tenant": each["slug"], "roles": ["reader"]} for each in companies]
    known = {"email": ADA, "name": "Ada", "password": "Quiet otters paint 57 barges"}
    under_test.apply({"tenants": companies, "users": [{**known, "memberships": within}]})
    with pytest.raises(NotSignedIn, match="Choose the company"):
        under_test.sign_in(ADA, "wiki", password=known["password"])
    visit = under_test.sign_in(ADA, "wiki", password=known["password"], tenant="harbor")
    assert visit.steps == ["password", "tenant"]
    assert claims_of(visit.tokens["id_token"])["tenant"] == "harbor"


def test_consent_is_given_or_not(under_test: Latchkey) -> None:
    under_test.client("theirs", CALLBACK, product="wiki", first_party=False)
    ada = under_test.user(ADA)
    visit = under_test.sign_in(ada, "theirs")
    assert visit.steps == ["password", "consent"]
    assert "code" in visit.response
    bob = under_test.user()
    assert under_test.sign_in(bob, "theirs", consent=False).response["error"] == "access_denied"


def test_the_answer_may_be_posted(under_test: Latchkey) -> None:
    mode = {"response_mode": "form_post"}
    visit = under_test.sign_in(under_test.user(), "wiki", parameters=mode)
    assert visit.redirect == CALLBACK
    assert visit.code
    assert visit.tokens["access_token"]


@pytest.mark.parametrize(
    ("described", "password", "says"),
    [
        ({}, "a wrong password", "We could not sign you in"),
        ({"status": "disabled"}, None, "We could not sign you in"),
    ],
)
def test_there_is_no_way_in_but_the_pages(
    under_test: Latchkey, described: dict[str, str], password: str | None, says: str
) -> None:
    person = under_test.user(**described)
    with pytest.raises(NotSignedIn, match=says) as refused:
        under_test.sign_in(person, "wiki", password=password)
    assert (refused.value.path, refused.value.steps) == ("/login/password", ["password"])


def test_wrong_passwords_pause_the_right_one_until_the_clock_moves_on(under_test: Latchkey) -> None:
    ada = under_test.user(ADA)
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            under_test.sign_in(ada, "wiki", password="not the password")
    with pytest.raises(NotSignedIn):
        under_test.sign_in(ada, "wiki")
    under_test.advance(1801)
    assert under_test.sign_in(ada, "wiki").code


def test_a_product_without_a_second_factor_to_ask_for_has_it_enrolled(under_test: Latchkey) -> None:
    under_test.apply(GUARDED)
    under_test.client("vault", CALLBACK, product="vault")
    with pytest.raises(NotSignedIn) as refused:
        under_test.sign_in(under_test.user(), "vault")
    assert refused.value.path.startswith("/login/enrol")
