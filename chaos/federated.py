"""A virtual user who signs in by an account at another provider."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from bench.messages import get
from chaos.browser import hidden, path_of
from chaos.caller import Caller
from chaos.person import HOPS, Person
from chaos.registry import CLUB, REDIRECT_URI
from chaos.wire import Answer, Line, Unanswered, Unheard

AWAY, BACK = "away", "back"  # the kinds of what waits for the other provider
_TARGET = re.compile(r"url=(.*)")


class Federated(Person):
    """By the provider of that `key`."""

    def __init__(self, caller: Caller, email: str, key: str) -> None:
        super().__init__(caller, email, "")
        self._key = key

    async def visit(self, *, meant: bool) -> None:
        """In a browser that knows nobody, to a code if it goes well; `meant` if it need not."""
        self._browser.forget()
        page = await self._page(CLUB)
        form = {**hidden(page), "provider": self._key} if page else {}
        left = await self._browser.send(AWAY, "/login/upstream", form, meant=meant)
        answer = await _sent_back(left) if left is not None and left.status == 200 else None
        kind = BACK
        for _ in range(HOPS):
            if answer is None or not answer.location or answer.location.startswith(REDIRECT_URI):
                break
            target = path_of(answer.location)
            answer = await self._browser.open(kind, target, self._session, meant=meant)
            kind = "sign-in"


async def _sent_back(left: Answer) -> Answer | None:
    """By the other provider, which asks nothing."""
    target = html.unescape(_TARGET.findall(left.headers(b"refresh")[0])[0])
    line = Line(urlsplit(target).port or 0)
    try:
        return await line.ask(get(path_of(target)))
    except (Unanswered, Unheard):
        return None
    finally:
        line.close()
