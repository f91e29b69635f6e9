"""Clients that name a person, and people who find the request on their account page (CIBA)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp.oidc.client_metadata import CIBA
from tests.security.protocol import EVERY_SCOPE, Party, of_people, post_as
from tests.world import AMARA, PASSWORD

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.world import Visitor, World

_COUNTER: dict[str, Any] = {"redirect_uris": [], "grant_types": [CIBA, "refresh_token"]}
COUNTER = of_people("counter", **_COUNTER)
OTHER = of_people("other-counter", **_COUNTER)
STRANGE = of_people("strange-counter", first_party=False, **_COUNTER)
PAGE = "/account/requests"


def ask(world: World, party: Party, email: str | None = AMARA, **form: str | None) -> TestResponse:
    asked = {"scope": EVERY_SCOPE, "login_hint": email, **form}
    return post_as(world, party, "/bc-authorize", **asked)


def asked(world: World, party: Party, email: str | None = AMARA, **form: str | None) -> str:
    """Its `auth_req_id`."""
    answer = ask(world, party, email, **form)
    assert answer.status_code == 200, answer.text
    return str((answer.json or {})["auth_req_id"])


def poll(world: World, party: Party, auth_req_id: str, **changed: str | None) -> TestResponse:
    form: dict[str, str | None] = {"grant_type": CIBA, "auth_req_id": auth_req_id}
    return post_as(world, party, "/token", **{**form, **changed})


def listed(visitor: Visitor) -> list[str]:
    """The names of what a signed-in person is asked, the oldest first."""
    page = visitor.get(PAGE)
    assert page.status_code == 200, page.headers.get("Location")
    return re.findall(r'name="request" value="([^"]+)"', page.text)


def answer(visitor: Visitor, decision: str, name: str | None = None) -> TestResponse:
    """To the last one that is listed, unless it is named."""
    page = visitor.get(PAGE)
    named = name or re.findall(r'name="request" value="([^"]+)"', page.text)[-1]
    return visitor.submit(page, path=PAGE, request=named, decision=decision)


def question(visitor: Visitor, name: str | None = None) -> TestResponse:
    """The page that asks, to somebody who is signed in."""
    page = visitor.follow(answer(visitor, "look", name))
    assert 'name="decision" value="allow"' in page.text, page.text
    return page


def decide(visitor: Visitor, page: TestResponse, decision: str = "allow") -> str:
    """How it ended: the page that says so."""
    answer = visitor.submit(page, path="/login/consent", decision=decision)
    while answer.status_code == 303 and not answer.headers["Location"].startswith("/request/"):
        answer = visitor.get(answer.headers["Location"])
    assert answer.status_code == 303, answer.text
    path = urlsplit(answer.headers["Location"]).path
    assert visitor.get(path).status_code == 200
    return path.removeprefix("/request/")


def signed_in(world: World, email: str = AMARA) -> Visitor:
    """By their account page."""
    visitor = world.browser()
    page = visitor.follow(visitor.get(PAGE))
    assert visitor.follow(visitor.submit(page, email=email, password=PASSWORD)).status_code == 200
    return visitor


def allow(world: World, email: str = AMARA) -> None:
    visitor = signed_in(world, email)
    assert decide(visitor, question(visitor)) == "allowed"


def tokens(world: World, party: Party, email: str = AMARA, **form: str | None) -> dict[str, Any]:
    auth_req_id = asked(world, party, email, **form)
    allow(world, email)
    answer = poll(world, party, auth_req_id)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})
