"""A provider under test: its clock, what it sends, and how it comes back to where it began."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from click.testing import CliRunner

from idp.commands.demo import demo
from idp.commands.test_mode.browser import Browser, PageReader
from idp.testing import Latchkey, LatchkeyError, NotSignedIn, SignIn
from tests.machine.under_test import CALLBACK

ADA = "ada@acme.example"
DAY = 86400.0
ROOT = Path(__file__).parents[2]
WIKI = ROOT / "docs" / "examples" / "confidential-client.yaml"


def asked(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """By GET, as it is answered."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def silently(latchkey: Latchkey, visit: SignIn) -> dict[str, str]:
    """What a product is told that asks for no page."""
    again = latchkey.sign_in(ADA, "wiki", browser=visit, parameters={"prompt": "none"})
    return again.response


def test_the_clock_goes_on_by_itself_and_is_moved_forward(under_test: Latchkey) -> None:
    began = under_test.now
    assert under_test.advance(DAY) >= began + DAY
    later = began + 3 * DAY
    assert under_test.ask("POST", "/clock", now=later)["now"] == pytest.approx(later, abs=5)
    assert under_test.now > later


def test_a_code_expires(under_test: Latchkey) -> None:
    visit = under_test.sign_in(under_test.user(ADA), "wiki")
    under_test.advance(61)
    with pytest.raises(LatchkeyError) as refused:
        _ = visit.tokens
    assert refused.value.told["error"] == "invalid_grant"


def test_an_access_token_expires(under_test: Latchkey) -> None:
    token = under_test.sign_in(under_test.user(ADA), "wiki").tokens["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert asked(f"{under_test.issuer}/userinfo", **bearer)[0] == 200
    under_test.advance(601)
    assert asked(f"{under_test.issuer}/userinfo", **bearer)[0] == 401


def test_a_session_ends(under_test: Latchkey) -> None:
    visit = under_test.sign_in(under_test.user(ADA), "wiki")
    assert "code" in silently(under_test, visit)
    under_test.advance(3601)
    assert silently(under_test, visit)["error"] == "login_required"


def test_what_time_brings_is_done_when_it_has_come(under_test: Latchkey) -> None:
    """As the worker does it: letters before a password is too old, and other signing keys."""
    policy = {"password_max_age_days": 90, "password_max_age_since": 0}
    under_test.apply({"tenants": [{"slug": "acme", "name": "Acme", "policy": policy}]})
    under_test.user(ADA)
    keys = asked(f"{under_test.issuer}/jwks")[2]
    under_test.advance(80 * DAY)
    assert [letter for letter in under_test.mail(ADA) if "password" in letter.subject]
    under_test.advance(11 * DAY)
    under_test.advance(2)
    assert asked(f"{under_test.issuer}/jwks")[2] != keys


def test_mail_is_there_when_it_is_asked_for_with_its_links_and_codes(under_test: Latchkey) -> None:
    ada = under_test.user(ADA, factors=["email", "sms", "totp"])
    assert under_test.mail() == under_test.sms() == []
    for _ in range(2):
        under_test.sign_in(ada, "wiki")
    [letter] = under_test.mail(ADA.upper())
    assert (letter.to, letter.subject) == (ADA, "New sign-in to your account")
    assert all(link.startswith(under_test.issuer) for link in letter.links)
    assert under_test.mail("bob@acme.example") == []
    assert under_test.sms() == []


def test_a_link_for_a_forgotten_password_is_found_in_the_mail(under_test: Latchkey) -> None:
    under_test.user(ADA)
    browser = Browser(under_test.issuer, {})
    [form] = PageReader(browser.open("/login/forgot").text).forms
    browser.send(form.action, {**form.fields, "email": ADA})
    [letter] = under_test.mail(ADA)
    assert browser.open(letter.links[0]).status == 200
    browser.close()


def test_a_reset_leaves_the_clients_of_the_start_and_nobody(under_test: Latchkey) -> None:
    wiki, keys = under_test.clients["wiki"], asked(f"{under_test.issuer}/jwks")[2]
    ada = under_test.user(ADA)
    under_test.client("notes", CALLBACK)
    under_test.sign_in(ada, "wiki")
    visit = under_test.sign_in(ada, "wiki")
    token, at = visit.tokens["access_token"], under_test.advance(5)
    assert under_test.mail()
    under_test.reset()
    assert under_test.clients == {"wiki": wiki}
    assert under_test.now < at
    assert under_test.mail() == []
    assert asked(f"{under_test.issuer}/jwks")[2] == keys
    assert asked(f"{under_test.issuer}/userinfo", Authorization=f"Bearer {token}")[0] == 401
    assert silently(under_test, visit)["error"] == "login_required"
    with pytest.raises(NotSignedIn):
        under_test.sign_in(ada, "wiki", password=ada.password)
    assert under_test.user(ADA).id != ada.id
    assert under_test.user().email == "person-2@acme.example"
    assert under_test.client("notes", CALLBACK).client_secret


def test_what_is_declared_after_a_reset_is_not_taken_for_what_was_before(
    under_test: Latchkey,
) -> None:
    for name in ("one", "two"):
        under_test.client(name, CALLBACK)
        assert under_test.sign_in(under_test.user(), name).code
        under_test.reset()


class _Product(BaseHTTPRequestHandler):
    heard: list[str]
    has_heard: threading.Event

    def do_POST(self) -> None:  # as the base class has it
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(body.decode())
        self.send_response(200)
        self.end_headers()
        self.has_heard.set()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def listening() -> Iterator[tuple[str, type[_Product]]]:
    handler = type("Handler", (_Product,), {"heard": [], "has_heard": threading.Event()})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/heard", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_product_is_told_of_a_sign_out_without_being_asked(under_test: Latchkey) -> None:
    with listening() as (uri, product):
        under_test.client("notes", CALLBACK, backchannel_logout_uri=uri)
        visit = under_test.sign_in(under_test.user(ADA), "notes")
        hint = urlencode({"id_token_hint": visit.tokens["id_token"]})
        cookies = "; ".join(f"{name}={value}" for name, value in visit.cookies.items())
        assert asked(f"{under_test.issuer}/logout?{hint}", Cookie=cookies)[0] in (200, 303)
        assert product.has_heard.wait(10)
    assert product.heard[0].startswith("logout_token=")


def test_every_page_says_that_it_is_a_test(under_test: Latchkey) -> None:
    for path in ("/", "/inbox", "/login/forgot", "/nowhere"):
        text = asked(f"{under_test.issuer}{path}")[2]
        assert '<p class="test-band">This is a test. Nothing here is real.</p>' in text, path


def test_a_set_up_file_of_another_provider_is_taken_as_it_is(under_test: Latchkey) -> None:
    """But for whose it is, and where it would have secrets kept."""
    described = yaml.safe_load(WIKI.read_text().replace("wiki", "files"))
    described["clients"][0]["client_secret_file"] = "clients/files.secret"
    under_test.apply({"issuer": "https://id.example", **described})
    assert len(under_test.clients["files"].client_secret) >= 32
    assert under_test.sign_in(under_test.user(), "files").tokens["access_token"]


@pytest.mark.parametrize(
    ("environment", "arguments", "says"),
    [
        ({"LATCHKEY_DATABASE_URL": "postgresql://db/id"}, ["--test"], "LATCHKEY_DATABASE_URL"),
        ({"LATCHKEY_SMTP_URL_FILE": "/run/smtp"}, ["--test"], "LATCHKEY_SMTP_URL_FILE"),
        ({}, ["--test", "--client", "wiki"], "--client is like wiki=http"),
        ({}, ["--tied"], "are for --test"),
        ({}, ["--client", "wiki=http://localhost/"], "are for --test"),
    ],
)
def test_what_it_does_not_start_with(
    environment: dict[str, str], arguments: list[str], says: str
) -> None:
    said = CliRunner().invoke(demo, arguments, env=environment)
    assert said.exit_code
    assert says in said.output + str(said.exception)
