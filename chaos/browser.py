"""A virtual user's browser: keeps cookies, and fills in the fields that a page hides."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

from chaos.caller import Caller, Read
from chaos.wire import Answer

_HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


class Browser:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._cookies: dict[str, str] = {}

    def at(self, caller: Caller) -> Browser:
        """The same one, in front of another server."""
        other = Browser(caller)
        other._cookies = dict(self._cookies)
        return other

    def forget(self) -> None:
        self._cookies.clear()

    async def open(
        self, kind: str, target: str, read: Read | None = None, /, **about: Any
    ) -> Answer | None:
        asked = self._caller.get(kind, target, read, headers=self._headers, **about)
        return self._kept(await asked)

    async def send(
        self,
        kind: str,
        target: str,
        form: dict[str, str],
        read: Read | None = None,
        /,
        **about: Any,
    ) -> Answer | None:
        asked = self._caller.post(kind, target, form, read, headers=self._headers, **about)
        return self._kept(await asked)

    @property
    def _headers(self) -> dict[str, str]:
        kept = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Cookie": kept} if kept else {}

    def _kept(self, answer: Answer | None) -> Answer | None:
        for cookie in answer.headers(b"set-cookie") if answer else ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer


def hidden(page: Answer) -> dict[str, str]:
    """The fields that a form brings along."""
    found = _HIDDEN.findall(page.body.decode())
    return {name: html.unescape(value) for name, value in found}


def path_of(location: str) -> str:
    """Where a redirect goes, at whichever server."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
