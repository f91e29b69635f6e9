"""Signing in with an account at another provider, as a visitor does it."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.machine.upstream.provider import UpstreamProvider
from tests.world import ISSUER, PASSWORD, Visitor, World

KEY = "google"
RETURN = f"/login/upstream/{KEY}/return"
PATIENCE = 30


def register(world: World, upstream: UpstreamProvider, *products: str, **more: Any) -> None:
    """As `google`, which these products take."""
    upstream.redirect_uris = [ISSUER + RETURN]
    upstream.clock = world.clock
    provider = {"key": KEY, "name": "Google", "issuer": upstream.issuer}
    provider |= {"client_id": upstream.client_id, "client_secret": upstream.client_secret, **more}
    taking = [{"key": key, "name": key, "identity_providers": [KEY]} for key in products]
    world.apply(identity_providers=[provider], products=taking)
    world.clock.move(2)


def leave(visitor: Visitor, page: Any, provider: str = KEY) -> Any:
    """Press the button on a sign-in page."""
    return visitor.submit(page, "/login/upstream", provider=provider)


def sent_to(left: Any) -> str:
    """Where the browser goes on to by itself, and who has it do no such thing by a link."""
    assert left.status_code == 200, left.text[:2000]
    seconds, _, target = left.headers["Refresh"].partition("; url=")
    assert seconds == "0"
    assert f'href="{escape(target)}"' in left.text
    return str(target)


def returned(left: Any) -> str:
    """Through the other provider's sign-in: the path and query that it sends back to."""
    answer = requests.get(sent_to(left), allow_redirects=False, timeout=PATIENCE)
    assert answer.status_code in (302, 303), answer.text
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def come_back(visitor: Visitor, left: Any) -> Any:
    return visitor.follow(visitor.get(returned(left)))


def sign_in(visitor: Visitor, client_id: str = "lms", **asked: str | None) -> Any:
    """To the page or answer that comes of it."""
    page = visitor.follow(visitor.authorize(client_id, **asked))
    return come_back(visitor, leave(visitor, page))


def link(visitor: Visitor, email: str, client_id: str = "lms") -> Any:
    """For the first time, with the proof that it takes."""
    page = sign_in(visitor, client_id)
    return visitor.follow(visitor.submit(page, email=email, password=PASSWORD))
