"""HTTP as a product speaks it: a connection that is kept, one request at a time, never repeated."""

from __future__ import annotations

import asyncio
import re
from typing import Any, NamedTuple

import orjson

HOST = "127.0.0.1"
PATIENCE = 20.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Unanswered(Exception):
    """The connection ended before the answer did: the request may have been heard or not."""


class Unheard(Exception):
    """Nobody took the connection: nothing was sent."""


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes

    def headers(self, name: bytes) -> list[str]:
        found = re.findall(rb"\r\n%s: *([^\r]*)" % name, self.head, re.IGNORECASE)
        return [each.decode() for each in found]

    @property
    def location(self) -> str:
        return next(iter(self.headers(b"location")), "")

    @property
    def json(self) -> dict[str, Any]:
        """Empty where it is none."""
        try:
            read = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return read if isinstance(read, dict) else {}


class Line:
    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> Answer:
        """By the connection that stands, or a new one. Raises Unheard, Unanswered."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.connect()
                return await self._ask(request)
        except ConnectionRefusedError as problem:
            raise Unheard(type(problem).__name__) from problem
        except (OSError, EOFError, TimeoutError, ValueError) as problem:
            self.close()
            raise Unanswered(type(problem).__name__) from problem

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def connect(self) -> None:
        """Unless the connection stands."""
        if self._reader is None or self._writer is None or _is_over(self._reader, self._writer):
            self.close()
            self._reader, self._writer = await asyncio.open_connection(
                HOST, self._port, limit=2**20
            )

    async def _ask(self, request: bytes) -> Answer:
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(request)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        if _CLOSE.search(head):
            self.close()
        return Answer(int(head[9:12]), head, body)


def _is_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """The server has ended it while nothing was asked."""
    return writer.is_closing() or reader.at_eof() or reader.exception() is not None
