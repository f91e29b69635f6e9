"""Apache's mod_auth_openidc protects a page: sign-in, refresh, both ways of signing out."""

import html
import re
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.apache import CALLBACK, Apache, start_apache
from tests.peers.registrations import Ports, secret_of
from tests.peers.visitor import Place, Visitor
from tests.world import DANA, PASSWORD

SECONDS_TO_BE_TOLD = 30.0


@pytest.fixture(scope="module")
def apache(provider: RunningProvider, ports: Ports) -> Iterator[Apache]:
    client_id = "peer-apache"
    running = start_apache(ports.apache, provider.issuer, client_id, secret_of(client_id))
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


def hook(apache: Apache, **asked: str) -> str:
    return apache.url(f"{CALLBACK}?{urlencode(asked)}")


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
    answer = visitor.http.get(hook(apache, info="json"), timeout=10)
    held = answer.json()
    assert held["userinfo"]["email"] == DANA
    assert held["id_token"]["sub"] == held["userinfo"]["sub"]
    assert held["access_token"]
    assert held["refresh_token"]


def test_apache_refreshes_its_access_token(apache, inside, visitor):
    def held() -> dict[str, str]:
        answer = visitor.http.get(hook(apache, info="json"), timeout=10)
        return dict(answer.json())

    before = held()
    page = visitor.open(
        hook(apache, refresh=apache.url("/protected/"), access_token=before["access_token"])
    )
    assert environment(page)["REMOTE_USER"] == DANA
    assert "error_code" not in page.url
    assert held()["access_token"] != before["access_token"]


def test_apache_signs_a_visitor_out_at_the_provider_too(apache, inside, visitor, provider):
    page = visitor.open(hook(apache, logout=apache.url("/signed-out.html")))
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


def test_apache_finds_no_fault_with_the_provider(apache):
    # It only warns of plain http, of an Ed25519 key that it can't read, and of a logout token for
    # a session that it ended itself.
    assert [line for line in apache.complaints.splitlines() if "auth_openidc:error" in line] == []
