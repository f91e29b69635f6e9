"""Whoever has proven a password, and is asked for more before anything opens."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from werkzeug.test import TestResponse

from tests.security.browsing import every_address
from tests.world import DANA, PASSWORD, Visitor, World

SESSION = "latchkey-session"
SECRETS = ("code=", "access_token", "id_token", "refresh_token")
FIELDS = {
    "product": "payments",
    "decision": "allow",
    "tenant": "northwind",
    "tenant_id": "northwind",
    "code": "",
    "method": "",
    "answer": "yes",
    "skip": "1",
    "saved": "1",
    "continue": "1",
    "turn_back": "",
}


class HalfWay:
    """A browser whose password is proven, at what is wanted next: by default the second factor of
    Secure Payments."""

    def __init__(
        self,
        world: World,
        email: str = DANA,
        password: str = PASSWORD,
        client_id: str = "payments",
    ) -> None:
        self.browser: Visitor = world.browser()
        page = self.browser.follow(self.browser.authorize(client_id))
        self.csrf = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
        answer = self.browser.submit(page, email=email, password=password)
        self.attempt = answer.headers["Location"].partition("attempt=")[2]

    def resume(self) -> TestResponse:
        return self.browser.get(f"/authorize?attempt={self.attempt}")

    def try_out(self, method: str, path: str) -> TestResponse:
        if method == "GET":
            return self.browser.get(f"{path}?attempt={self.attempt}")
        form = {**FIELDS, "attempt": self.attempt, "csrf_token": self.csrf}
        return self.browser.client.open(path, method=method, data=form)

    def is_nobody(self) -> bool:
        return self.browser.client.get_cookie(SESSION) is None


def given(answer: TestResponse) -> Iterator[str]:
    """What only a finished sign-in may have in it."""
    location = answer.headers.get("Location", "")
    yield from (word for word in SECRETS if word in location)
    yield from (c for c in answer.headers.getlist("Set-Cookie") if c.startswith(f"{SESSION}="))
    if answer.is_json and isinstance(answer.json, dict):
        yield from (word for word in SECRETS[1:] if word in answer.json)


def try_every_address(half: HalfWay, seed: int) -> None:
    """Each of them once, in the order of that seed: none gives anything."""
    addresses = every_address(half.browser.world.held)
    random.Random(seed).shuffle(addresses)
    for method, path in addresses:
        answer = half.try_out(method, path)
        assert not list(given(answer)), (method, path)
        assert answer.status_code < 500, (method, path)
        answer.close()
        assert half.is_nobody(), (method, path)
