"""Devices that ask, and people who enter their codes (RFC 8628)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.test import Client

from idp.oidc.client_metadata import DEVICE_CODE
from tests.security.protocol import EVERY_SCOPE, Party, of_people, post_as
from tests.world import AMARA, PASSWORD

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.world import Visitor, World

_DEVICE: dict[str, Any] = {"redirect_uris": [], "grant_types": [DEVICE_CODE, "refresh_token"]}
TELEVISION = of_people("television", "none", application_type="native", **_DEVICE)
TILL = of_people("till", **_DEVICE)
STRANGE = of_people("strange-till", first_party=False, **_DEVICE)


def ask(world: World, party: Party, **form: str | None) -> TestResponse:
    return post_as(world, party, "/device_authorization", **{"scope": EVERY_SCOPE, **form})


def codes(world: World, party: Party, **form: str | None) -> dict[str, Any]:
    answer = ask(world, party, **form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def poll(world: World, party: Party, device_code: str, **changed: str | None) -> TestResponse:
    form: dict[str, str | None] = {"grant_type": DEVICE_CODE, "device_code": device_code}
    return post_as(world, party, "/token", **{**form, **changed})


def enter(visitor: Visitor, user_code: str) -> TestResponse:
    """What comes of a code: a page of the sign-in, or the form again."""
    return visitor.follow(visitor.submit(visitor.get("/device"), user_code=user_code))


def sign_in(visitor: Visitor, page: TestResponse, email: str = AMARA) -> TestResponse:
    return visitor.follow(visitor.submit(page, email=email, password=PASSWORD))


def question(visitor: Visitor, user_code: str, email: str = AMARA) -> TestResponse:
    """The page that asks whether the device may go on."""
    page = enter(visitor, user_code)
    if 'name="password"' in page.text:
        page = sign_in(visitor, page, email)
    assert 'name="decision" value="allow"' in page.text, page.text
    return page


def decide(visitor: Visitor, page: TestResponse, decision: str = "allow") -> str:
    """How it ended: the page that says so."""
    answer = visitor.submit(page, path="/login/consent", decision=decision)
    while answer.status_code == 303 and not answer.headers["Location"].startswith("/device/"):
        answer = visitor.get(answer.headers["Location"])
    assert answer.status_code == 303, answer.text
    path = urlsplit(answer.headers["Location"]).path
    assert visitor.get(path).status_code == 200
    return path.removeprefix("/device/")


def allow(world: World, user_code: str, email: str = AMARA) -> None:
    visitor = world.browser()
    assert decide(visitor, question(visitor, user_code, email)) == "allowed"


def tokens(world: World, party: Party, email: str = AMARA, **form: str | None) -> dict[str, Any]:
    """From the device's question to its tokens."""
    told = codes(world, party, **form)
    allow(world, told["user_code"], email)
    answer = poll(world, party, told["device_code"])
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def from_network(world: World, address: str) -> Visitor:
    visitor, app = world.browser(), world.app
    visitor.client = Client(lambda environ, start: app({**environ, "REMOTE_ADDR": address}, start))
    return visitor


def is_over(answer: TestResponse) -> bool:
    """The form again: the code is none, whatever was wrong with it."""
    return answer.status_code == 422 and "This code is wrong or too old." in answer.text
