"""Whoever asks: sends one request, and writes down what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from bench.messages import get, post, post_json, put_json
from chaos.history import FAIL, OK, UNKNOWN, Operation, Pen, address_of
from chaos.wire import Answer, Line, Unanswered, Unheard

_CANARY = re.compile(rb"canary-(\w+)")

NO_RETRY = " without Retry-After"

Facts = Mapping[str, Any]
Read = Callable[[Answer], Facts]


class Caller:
    """One virtual user's way to the servers: `ports` in turn, a kept connection to each. Whoever
    has an `address` says that all comes from there, and is not told apart in the audit log."""

    def __init__(
        self, number: int, tenant: str, ports: list[int], pen: Pen, address: str = ""
    ) -> None:
        self.number = number
        self.tenant = tenant
        self.due: float | None = None
        self._pen = pen
        self._address = address
        self._lines = {port: Line(port) for port in ports}
        self._turns = (ports[place % len(ports)] for place in count(number))

    async def get(
        self, kind: str, target: str, read: Read | None = None, /, **about: Any
    ) -> Answer | None:
        """None if there was no answer. Headers are among `about`, as `headers`."""
        headers = about.pop("headers", {})
        return await self._ask(kind, read, about, lambda own: get(target, **headers, **own))

    async def post(
        self,
        kind: str,
        target: str,
        form: Mapping[str, str],
        read: Read | None = None,
        /,
        **about: Any,
    ) -> Answer | None:
        headers = about.pop("headers", {})
        return await self._ask(kind, read, about, lambda own: post(target, form, **headers, **own))

    async def post_json(
        self, kind: str, target: str, body: Mapping[str, Any], /, **about: Any
    ) -> Answer | None:
        headers = about.pop("headers", {})
        return await self._ask(
            kind, None, about, lambda own: post_json(target, body, **headers, **own)
        )

    async def put_json(
        self, kind: str, target: str, body: Mapping[str, Any], /, **about: Any
    ) -> Answer | None:
        headers = about.pop("headers", {})
        return await self._ask(
            kind, None, about, lambda own: put_json(target, body, **headers, **own)
        )

    async def connect(self) -> None:
        """To all of them, before anything is asked."""
        for line in self._lines.values():
            await line.connect()

    def close(self) -> None:
        for line in self._lines.values():
            line.close()

    async def _ask(
        self,
        kind: str,
        read: Read | None,
        about: dict[str, Any],
        write: Callable[[dict[str, str]], bytes],
    ) -> Answer | None:
        number, port = self._pen.number(), next(self._turns)
        request = write({"X_Forwarded_For": self._address or address_of(number)})
        start, answer = time.time(), None
        try:
            answer = await self._lines[port].ask(request)
            facts = {**_plainly(answer), **(read(answer) if read else {})}
        except Unheard as problem:
            facts = {"outcome": FAIL, "error": str(problem)}
        except Unanswered as problem:
            facts = {"outcome": UNKNOWN, "error": str(problem)}
        known = {"number": number, "user": self.number, "kind": kind, "node": str(port)}
        times = {"due": self.due or start, "start": start, "end": time.time()}
        self.due = None  # the next one follows from this, as soon as it can
        whose = {"tenant": self.tenant}
        if facts["outcome"] != OK:
            about = {name: each for name, each in about.items() if name != "shows"}
        self._pen.write(Operation(**{**known, **times, **whose, **about, **facts}))
        return answer


def _plainly(answer: Answer) -> dict[str, Any]:
    seen = sorted({each.decode() for each in _CANARY.findall(answer.head + answer.body)})
    facts: dict[str, Any] = {"status": answer.status, "canaries": seen, "outcome": OK}
    if answer.status >= 400:
        facts |= {"outcome": FAIL, "error": str(answer.json.get("error", ""))}
    if answer.status >= 500 and not answer.headers(b"retry-after"):
        facts["error"] += NO_RETRY
    return facts
