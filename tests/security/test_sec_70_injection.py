"""S70: what people and products call themselves is text, wherever it is shown or sent."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from werkzeug.test import TestResponse

from idp.app import create_pages
from idp.directory.users import canonical_email
from idp.errors import SetupMistake
from idp.senders import _message
from idp.web import letters
from tests.security.browsing import THIRD_PARTY, add_third_party, shared_world
from tests.world import AMARA, BEN, PASSWORD, PRIYA, Visitor, World, request_for

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*'7'}}{% set x = 7*'7' %}{{x}}",
    "%(email)s %s %d {email} $${issuer}",
    "=cmd|' /C calc'!A0",
    "javascript:alert(1)",
    "]]><svg/onload=alert(1)>",
    "&lt;b&gt; \u202egnp.exe",
)
LINKS = frozenset(("href", "src", "action", "formaction", "content"))


@pytest.fixture(scope="module", params=range(len(PAYLOADS)))
def named(
    request: pytest.FixtureRequest, furnished_folder: Path, tmp_path_factory: Any
) -> Iterator[World]:
    """Everybody and everything is called by the payload."""
    with shared_world(furnished_folder, tmp_path_factory) as world:
        name = PAYLOADS[request.param]
        role = {"key": "agent", "name": name, "description": name}
        world.apply(
            products=[{"key": "lms", "name": name, "description": name}],
            tenants=[
                {"slug": slug, "name": f"{slug} {name}", "roles": [role]}
                for slug in ("northwind", "harbor")
            ],
            users=[
                {"email": email, "name": name, "given_name": name} for email in (AMARA, BEN, PRIYA)
            ],
        )
        add_third_party(world, client_name=name)
        yield world


def payload_of(world: World) -> str:
    return str(world.run("SELECT name FROM products WHERE key = 'lms'")[0][0])


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def is_inert(page: TestResponse, payload: str = "") -> bool:
    """It is there, in so many words, and does nothing."""
    assert page.mimetype == "text/html"
    for tag, attributes in Elements(page.text).found:
        place = (page.request.path, tag, attributes)
        assert tag not in ("img", "iframe", "object", "embed", "base"), place
        assert not any(name.startswith("on") or name == "style" for name in attributes), place
        assert tag != "script" or attributes["src"].startswith("/static/"), place
        links = [attributes[name].strip().lower() for name in LINKS & set(attributes)]
        assert not any(link.startswith(("javascript:", "data:")) for link in links), place
    assert "7777777" not in page.text, page.request.path
    return payload in html.unescape(page.text)


def test_sec_70_names_are_text_on_every_page(named: World) -> None:
    payload, browser = payload_of(named), named.browser()
    assert is_inert(browser.get("/"), payload)
    begun = browser.follow(
        browser.authorize(THIRD_PARTY, redirect_uri="https://guest.example/callback")
    )
    assert is_inert(begun, payload)
    consent = browser.follow(browser.submit(begun, email=AMARA, password=PASSWORD))
    assert "Allow" in consent.text
    assert is_inert(consent, payload)
    browser.follow(browser.submit(consent, decision="allow"))
    for path in ("/", "/account", "/logout"):
        assert is_inert(browser.get(path), payload), path
    chosen = browser.follow(browser.authorize(prompt="select_account"))
    assert is_inert(chosen, payload)
    again = browser.follow(browser.authorize(prompt="login"))
    assert is_inert(again, payload)
    browser.submit(browser.get("/logout"), decision="sign_out")
    assert is_inert(browser.get("/logout/done"))


def test_sec_70_names_are_text_where_a_tenant_is_chosen_or_a_door_is_closed(named: World) -> None:
    payload = payload_of(named)
    assert is_inert(named.browser().sign_in(PRIYA), payload)
    refused = named.browser().sign_in(BEN, client_id="payments")
    assert refused.status_code == 403
    assert is_inert(refused, payload)


def test_sec_70_names_are_text_in_a_letter(named: World) -> None:
    payload = payload_of(named)
    letter = letters.write(
        create_pages(named.held),
        {
            "to": AMARA,
            "template": "locked",
            "reader": "person",
            "until": named.clock(),
            "tries": 5,
            "name": payload,
        },
    )
    assert payload in letter.body
    assert "\n" not in letter.subject
    assert payload not in letter.subject


def test_sec_70_names_are_strings_in_json(named: World) -> None:
    payload, tokens = payload_of(named), named.browser().tokens(BEN)
    told = named.userinfo(tokens["access_token"])
    assert told.mimetype == "application/json"
    assert (told.json or {})["name"] == payload


SENT = (*PAYLOADS, "x\r\nSet-Cookie: planted=1", "x\n\n<html>", "\u2028", "x" * 4000)


@pytest.mark.parametrize("sent", SENT, ids=lambda sent: sent[:20].encode().hex())
def test_sec_70_a_state_comes_back_as_it_was_sent_and_does_nothing(world: World, sent: str) -> None:
    browser = world.browser()
    browser.code()
    answer = browser.authorize(state=sent)
    assert answer.headers.getlist("Location")[0].isprintable()
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["state"] == [sent]
    assert "planted" not in str(answer.headers.getlist("Set-Cookie"))
    for more in ({}, {"response_type": "token"}):
        page = browser.authorize(state=sent, response_mode="form_post", **more)
        assert is_inert(page)
        state = re.findall(r'name="state" value="([^"]*)"', page.text)[0]
        assert html.unescape(state) == sent
        assert re.findall(r'<form[^>]*action="([^"]*)"', page.text) == [
            request_for()["redirect_uri"]
        ]


REFLECTED = ("error", "error_description", "error_uri", "login_hint", "message", "next", "title")


@pytest.mark.parametrize("sent", PAYLOADS)
def test_sec_70_nothing_in_an_address_becomes_part_of_a_page(world: World, sent: str) -> None:
    browser = world.browser()
    query = urlencode(dict.fromkeys((*REFLECTED, "ui_locales", "product", "to"), sent))
    for path in ("/", "/login/password", "/logout", "/logout/done", "/authorize", f"/{query}"):
        assert is_inert(browser.get(f"{path}?{query}")), path
    page = browser.follow(browser.authorize(login_hint=sent, ui_locales=sent, acr_values=sent))
    assert is_inert(page)
    assert is_inert(browser.submit(page, email=sent, password=sent, product=sent))
    browser.code()
    named = {"state": sent, "client_id": sent, "post_logout_redirect_uri": sent}
    assert is_inert(browser.get("/logout?" + urlencode(named)))


@pytest.mark.parametrize("header", ["User-Agent", "Accept-Language", "Referer", "Host"])
def test_sec_70_nothing_in_a_header_becomes_part_of_a_page(world: World, header: str) -> None:
    for sent in PAYLOADS[:4]:
        browser: Visitor = world.browser(**{header: sent.encode().decode("latin-1")})
        if header == "Host":
            assert browser.get("/").status_code in (200, 400)
            assert is_inert(browser.get("/"))
            continue
        browser.code()
        assert is_inert(browser.get("/account"))
        assert sent not in html.unescape(browser.get("/account").text)


BAD_ADDRESSES = (
    "javascript:alert(1)//https://x.example",
    "JavaScript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "https://x.example/\r\nSet-Cookie:x=1",
    "https://user:password@x.example/",
    "https://x.example\\@evil.example/",
    "http://x.example/",
    "//x.example/",
)


@pytest.mark.parametrize("address", BAD_ADDRESSES)
@pytest.mark.parametrize(
    "member",
    ["redirect_uris", "post_logout_redirect_uris", "initiate_login_uri", "backchannel_logout_uri"],
)
def test_sec_70_an_address_that_does_something_else_is_not_registered(
    world: World, member: str, address: str
) -> None:
    with pytest.raises(SetupMistake):
        add_third_party(world, **{member: [address] if member.endswith("uris") else address})


@pytest.mark.parametrize("name", ["a\r\nBcc: evil@x.example", "a\nb", "a\x00b", "a\x1b[2Jb", ""])
def test_sec_70_a_name_has_one_line_and_no_control_characters(world: World, name: str) -> None:
    for described in (
        {"users": [{"email": AMARA, "name": name}]},
        {"tenants": [{"slug": "northwind", "name": name}]},
        {"products": [{"key": "lms", "name": name}]},
    ):
        with pytest.raises(SetupMistake):
            world.apply(**described)


def test_sec_70_a_name_with_line_breaks_adds_no_header_to_a_letter(world: World) -> None:
    """Should one get into the database some other way."""
    letter = letters.write(
        create_pages(world.held),
        {
            "to": AMARA,
            "template": "locked",
            "until": world.clock(),
            "name": "A\r\nBcc: evil@x.example\r\nSubject: other",
        },
    )
    message = _message(world.settings, letter, "1", 0.0)
    ours = {"From", "Date", "Message-ID", "To", "Subject"}
    of_the_body = {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
    assert set(message.keys()) <= ours | of_the_body
    assert str(message["To"]) == AMARA
    assert "other" not in str(message["Subject"])
    with pytest.raises(ValueError, match=r"linefeed|CR or LF"):
        _message(world.settings, letter._replace(to="a@x.example\r\nBcc: evil@x.example"), "1", 0.0)


@pytest.mark.parametrize(
    "address",
    [
        "somebody,ben@northwind.example",
        "somebody;ben@northwind.example",
        "x<ben@northwind.example>",
        "ben(x)@northwind.example",
        "group:ben@northwind.example",
        "ben@[127.0.0.1].example",
        "a\\b@northwind.example",
        "ben@northwind.example,evil.example",
    ],
)
def test_sec_70_an_address_is_one_mailbox_to_the_mail_server_too(address: str) -> None:
    """A header would read more than one, or another, out of these (RFC 5322 section 3.4)."""
    assert canonical_email(address) is None
