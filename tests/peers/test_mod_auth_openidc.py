"""Apache's mod_auth_openidc protects a page: sign-in, refresh, both ways of signing out."""

import html
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.tokens import signing_keys
from tests.machine.provider_process import RunningProvider
from tests.peers.apache import Apache, start_apache
from tests.peers.registrations import Ports
from tests.peers.relying_party import header_of
from tests.peers.visitor import Place, Visitor
from tests.world import BEN, DANA, PASSWORD

SECONDS_TO_BE_TOLD = 30.0
OF_OUR_MAKING = (
    *("could not be refreshed", "invalid_grant", "The grant is no longer valid"),
    *("signature could not be validated", "signature verification failed", "login_required"),
)


@pytest.fixture(scope="module")
def apache(
    provider: RunningProvider,
    ports: Ports,
    client_keys: dict[str, dict[str, Any]],
    new_initial_token: Callable[[str], str],
) -> Iterator[Apache]:
    initial = new_initial_token("localhost")
    running = start_apache(ports.apache, provider.issuer, client_keys["RS256"], initial)
    yield running
    running.stop()


@pytest.fixture
def inside(apache: Apache, visitor: Visitor) -> Place:
    """The protected page, signed in."""
    return visitor.sign_in(visitor.open(apache.url("/protected/")), DANA, PASSWORD)


def environment(page: Place) -> dict[str, str]:
    """What Apache hands to the application behind it."""
    lines = re.findall(r"^(\w+)=(.*)$", page.text, re.MULTILINE)
    return {name: html.unescape(value) for name, value in lines}


def held(apache: Apache, visitor: Visitor, site: str = "plain") -> dict[str, Any]:
    return dict(visitor.http.get(apache.hook(site, info="json"), timeout=10).json())


def test_apache_sends_a_visitor_to_sign_in_and_lets_them_in(apache, visitor, provider):
    asked = visitor.open(apache.url("/protected/"))
    assert asked.url.startswith(provider.issuer)
    assert "code_challenge_method=S256" in asked.trail[1]
    page = visitor.sign_in(asked, DANA, PASSWORD)
    assert (page.status, page.url) == (200, apache.url("/protected/"))
    assert environment(page)["REMOTE_USER"] == DANA


def test_apache_hands_the_claims_to_the_application(inside, provider):
    claims = environment(inside)
    assert claims["OIDC_CLAIM_iss"] == provider.issuer
    assert claims["OIDC_CLAIM_aud"] == "peer-apache"
    assert claims["OIDC_CLAIM_email_verified"] == "1"
    assert claims["OIDC_CLAIM_tenant"] == "northwind"
    assert "loans.read" in claims["OIDC_CLAIM_permissions"].split(",")


def test_apache_lets_a_visitor_in_who_is_signed_in_already(apache, inside, visitor):
    visitor.http.cookies.clear(domain="localhost.local", path="/", name="mod_auth_openidc_session")
    again = visitor.open(apache.url("/protected/"))
    assert environment(again)["REMOTE_USER"] == DANA
    assert environment(again)["OIDC_CLAIM_sub"] == environment(inside)["OIDC_CLAIM_sub"]


def test_apache_tells_scripts_what_it_holds(apache, inside, visitor):
    told = held(apache, visitor)
    assert told["userinfo"]["email"] == DANA
    assert told["id_token"]["sub"] == told["userinfo"]["sub"]
    assert told["access_token"]
    assert told["refresh_token"]


def test_apache_refreshes_its_access_token(apache, inside, visitor):
    before = held(apache, visitor)
    page = visitor.open(
        apache.hook(refresh=apache.url("/protected/"), access_token=before["access_token"])
    )
    assert environment(page)["REMOTE_USER"] == DANA
    assert "error_code" not in page.url
    assert held(apache, visitor)["access_token"] != before["access_token"]


def test_apache_signs_a_visitor_out_at_the_provider_too(apache, inside, visitor, provider):
    page = visitor.open(apache.hook(logout=apache.url("/signed-out.html")))
    assert page.url == apache.url("/signed-out.html")
    assert f"{provider.issuer}/logout" in [address.partition("?")[0] for address in page.trail]
    assert visitor.open(apache.url("/protected/")).form_with("email", "password")


def test_apache_is_told_when_a_visitor_signs_out_elsewhere(apache, inside, visitor, provider):
    asked = visitor.open(f"{provider.issuer}/logout")
    visitor.submit(asked, decision="sign_out")
    deadline = time.monotonic() + SECONDS_TO_BE_TOLD
    while (page := visitor.open(apache.url("/protected/"))).url == apache.url("/protected/"):
        assert time.monotonic() < deadline, apache.complaints
    assert page.form_with("email", "password")


def test_apache_asks_silently_whether_somebody_is_still_signed_in(
    apache, inside, visitor, provider
):
    """By the frames of Session Management."""
    assert visitor.open(apache.hook(session="iframe_op")).url == f"{provider.issuer}/check_session"
    still = visitor.open(apache.hook(session="check"))
    assert still.url == apache.hook(session="iframe_rp")
    (address,) = (each for each in still.trail if "session_state=" in each)
    session_state = parse_qs(urlsplit(address).query)["session_state"][0]
    assert "'peer-apache'" in still.text
    assert f"'{session_state}'" in still.text


def test_apache_is_opened_from_the_menu(apache, visitor, provider):
    asked = visitor.open(apache.hook(iss=provider.issuer, tenant="northwind"))
    page = visitor.sign_in(asked, BEN, PASSWORD)
    assert page.url == apache.url("/protected/")
    assert environment(page)["REMOTE_USER"] == BEN
    elsewhere = visitor.open(apache.hook(iss="https://other.example", tenant="northwind"))
    assert elsewhere.url.startswith(apache.url("/protected/callback"))


@pytest.fixture
def inside_by_signatures(apache: Apache, visitor: Visitor) -> Place:
    """Of the site that posts its request as a signed object, and is answered by a form."""
    asked = visitor.submit(visitor.open(apache.url("/protected/", "signs")))
    return visitor.submit(visitor.sign_in(asked, DANA, PASSWORD))


def test_apache_signs_what_it_asks_and_who_it_is_and_has_userinfo_signed(apache, visitor):
    asked = visitor.submit(visitor.open(apache.url("/protected/", "signs")))
    assert "&request=ey" in asked.trail[1]
    assert "code_challenge" not in asked.trail[1]
    answered = visitor.sign_in(asked, DANA, PASSWORD)
    page = visitor.submit(answered)
    assert page.url == apache.url("/protected/", "signs")
    claims = environment(page)
    assert (claims["REMOTE_USER"], claims["OIDC_CLAIM_aud"]) == (DANA, "peer-apache-signs")
    assert header_of(claims["OIDC_userinfo_jwt"])["alg"] == "RS256"


def test_apache_takes_an_error_for_one_where_it_is_posted(inside_by_signatures, apache, visitor):
    """In an address, the `iss` beside it (RFC 9207) has it begin another sign-in."""
    visitor.forget("latchkey")
    asked = visitor.submit(visitor.open(apache.hook("signs", session="check")))
    assert asked.form_with("error", "iss").fields["error"] == "login_required"
    assert "session=logout" in visitor.submit(asked).text
    visitor.open(apache.hook("signs", session="logout"))
    assert visitor.http.get(apache.hook("signs", info="json"), timeout=10).status_code == 401


def test_apache_is_told_by_a_frame_that_holds_no_cookies(
    inside_by_signatures, apache, visitor, provider
):
    page = visitor.submit(visitor.open(f"{provider.issuer}/logout"), decision="sign_out")
    frames = [html.unescape(each) for each in re.findall(r'<iframe src="([^"]+)"', page.text)]
    (own,) = (each for each in frames if each.startswith(apache.hook("signs", logout="get")))
    assert held(apache, visitor, "signs")["userinfo"]["email"] == DANA
    framed = Visitor()
    assert framed.open(own).status == 200
    framed.close()
    gone = visitor.http.get(apache.hook("signs", info="json"), timeout=10)
    assert gone.status_code == 401


def test_apache_registers_itself_and_keeps_its_token_fresh_for_as_long_as_it_may(
    apache, visitor, provider
):
    there = apache.url("/protected/", "registers")
    asked = visitor.open(apache.hook("registers", iss=provider.issuer, target_link_uri=there))
    inside = visitor.submit(visitor.sign_in(asked, BEN, PASSWORD), decision="allow")
    seen = [environment(page) for page in (inside, visitor.open(there), visitor.open(there))]
    assert {each["REMOTE_USER"] for each in seen} == {BEN}
    assert seen[0]["OIDC_CLAIM_aud"].startswith("client-")
    assert len({each["OIDC_access_token"] for each in seen[1:]}) == 2
    visitor.submit(visitor.open(f"{provider.issuer}/logout"), decision="sign_out")
    assert visitor.open(there).url == apache.url("/signed-out.html", "registers")


@pytest.mark.parametrize("site", ["asks", "checks"])
def test_apache_is_an_api_that_knows_good_tokens(apache, inside, visitor, provider, site):
    def status(token: str) -> int:
        proof = {"Authorization": f"Bearer {token}"} if token else {}
        url = apache.url("/protected/", site)
        return int(visitor.http.get(url, headers=proof, timeout=10).status_code)

    told = held(apache, visitor)
    token = told["access_token"]
    header, payload, signature = token.split(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    tokens = (token, "", f"{header}.{payload}.{changed}")
    assert [status(each) for each in tokens] == [200, 401, 401]
    visitor.open(apache.hook(logout=apache.url("/signed-out.html")))
    assert status(token) == (401 if site == "asks" else 200)


def test_apache_goes_on_when_the_provider_signs_by_another_key(apache, inside, visitor, provider):
    first = header_of(environment(inside)["OIDC_id_token"])["kid"]
    with provider.held.database.transaction() as db:
        args = (provider.held.secret_keys, "RS256", 0.0, provider.held.clock())
        second = signing_keys.rotate(db, *args)
    deadline = time.monotonic() + SECONDS_TO_BE_TOLD
    while second not in visitor.http.get(f"{provider.issuer}/jwks", timeout=10).text:
        assert time.monotonic() < deadline
    page = visitor.open(apache.hook(iss=provider.issuer))
    assert first != header_of(environment(page)["OIDC_id_token"])["kid"] == second


def test_apache_finds_no_fault_with_the_provider(apache):
    # It only warns of plain http, of an Ed25519 key that it can't read, and of a logout token for
    # a session that it ended itself.
    errors = [line for line in apache.complaints.splitlines() if "auth_openidc:error" in line]
    assert [line for line in errors if not any(each in line for each in OF_OUR_MAKING)] == []
