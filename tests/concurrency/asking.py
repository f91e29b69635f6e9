"""A load that keeps a record of what each request was answered, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlencode

from tests.concurrency.conftest import Town
from tests.concurrency.load import Load
from tests.concurrency.volley import Unanswered, ask, page
from tests.world import Visitor, request_for

PACE = 0.02
UNANSWERED = 0
SILENT = f"/authorize?{urlencode(request_for('lms', prompt='none'))}"
Question = Callable[[], bytes]


class Asked(NamedTuple):
    """`begun` is a monotonic time, `took` seconds, `sound` whether a 503 says when to try again."""

    what: str
    begun: float
    took: float
    status: int
    sound: bool
    body: bytes


class Asking(Load):
    """Each of `questions` again and again, by `each` threads."""

    def __init__(self, town: Town, questions: dict[str, Question], each: int = 1) -> None:
        super().__init__(each * len(questions))
        self._town = town
        self._waiting = list(questions.items()) * each
        self.record: list[Asked] = []

    def _go_on(self) -> None:
        what, question = self._waiting.pop()
        while not self._stop.is_set():
            self.record.append(self._ask(what, question()))
            time.sleep(PACE)

    def _ask(self, what: str, request: bytes) -> Asked:
        begun = time.monotonic()
        try:
            answer = ask(self._town.port, request)
        except Unanswered:
            return Asked(what, begun, time.monotonic() - begun, UNANSWERED, False, b"")
        sound = answer.status != 503 or "retry-after" in {name.lower() for name in answer.headers}
        took = time.monotonic() - begun
        return Asked(what, begun, took, answer.status, sound, answer.body)

    def since(self, moment: float, *kinds: str) -> list[Asked]:
        return [each for each in self.record if each.begun >= moment and each.what in kinds]


def silently(town: Town) -> bytes:
    """Single sign-on, by somebody who is signed in."""
    browser = town.world.browser()
    browser.tokens()
    return page(SILENT, cookie_of(browser))


def cookie_of(browser: Visitor) -> dict[str, str]:
    cookie = browser.client.get_cookie("latchkey-session")
    assert cookie
    return {"Cookie": f"{cookie.key}={cookie.value}"}


def questions_of(town: Town) -> dict[str, Question]:
    """Some that need the database, and the two that don't."""
    browser = town.world.browser()
    tokens = browser.tokens(scope="openid offline_access")
    signed_in = cookie_of(browser)
    silent = page(SILENT, signed_in)
    return {
        "introspect": lambda: town.introspection(tokens["access_token"]),
        "sign on": lambda: silent,
        "front door": lambda: page("/", {}),
        "profile": lambda: page("/account", signed_in),
        "jwks": lambda: page("/jwks", {}),
        "discovery": lambda: page("/.well-known/openid-configuration", {}),
    }


def slowest(record: Iterable[Asked]) -> float:
    return max(each.took for each in record)
