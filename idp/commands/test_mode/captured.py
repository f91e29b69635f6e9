"""What the provider sends: delivered as the worker does it, at once; mail and text messages kept to
be read."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask
from werkzeug.wsgi import ClosingIterator

from idp import delivery, outbox
from idp.credentials.temporary_passwords import GROUPS, LETTERS, OF_EACH
from idp.delivery import Sender
from idp.endpoints.router import Environ, StartResponse, WsgiApp
from idp.outbox import Lane
from idp.provider import Provider
from idp.senders import InboxMessage
from idp.web import letters
from idp.worker import import_people, senders_by, watch

RETRY = 1.0  # seconds until what did not arrive is looked at again
FOR_PEOPLE: tuple[Lane, ...] = (outbox.errands, outbox.codes, outbox.texts, outbox.letters)
FOR_PROGRAMS: tuple[Lane, ...] = (outbox.to_products, outbox.to_products_again, outbox.logos)
_LINK = re.compile(r"https?://[^\s<>\"]+")
_CODE = re.compile(r"(?<![\w-])\d{6}(?![\w-])")
_GROUP = f"[{LETTERS}]{{{OF_EACH}}}"
_TEMPORARY_PASSWORD = re.compile(rf"(?<![\w-])(?:{_GROUP}-){{{GROUPS - 1}}}{_GROUP}(?![\w-])")

log = structlog.get_logger("captured")


class Post:
    """Whoever reads waits until all is there. Products have a thread of their own: one that hangs
    keeps no letter."""

    def __init__(self, held: Provider, pages: Flask) -> None:
        self._held = held
        self._senders: dict[str, Sender] = dict(senders_by(held, partial(letters.write, pages)))
        self._turns = {lanes: threading.Lock() for lanes in (FOR_PEOPLE, FOR_PROGRAMS)}
        self._due = {lanes: threading.Event() for lanes in self._turns}

    def begin(self) -> None:
        for lanes in self._turns:
            threading.Thread(target=self._deliver_for_ever, args=(lanes,), daemon=True).start()

    def after_answers(self, app: WsgiApp) -> WsgiApp:
        """`app`, after whose answers there may be something to deliver."""

        def posting(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            return ClosingIterator(app(environ, start_response), self.look)

        return posting

    def look(self) -> None:
        for due in self._due.values():
            due.set()

    def read(self, channel: str, to: str) -> list[dict[str, Any]]:
        """The oldest first; all of them if `to` is empty."""
        self.deliver(FOR_PEOPLE)
        found = sa.select(InboxMessage).where(InboxMessage.channel == channel)
        if to:
            found = found.where(sa.func.lower(InboxMessage.recipient) == to.lower())
        with self._held.database.session(read_only=True) as session:
            return [_told(each) for each in session.scalars(found.order_by(InboxMessage.at))]

    def newest_code(self, channel: str, to: str) -> str:
        """Empty if there is none."""
        codes = [code for each in self.read(channel, to) for code in each["codes"]]
        return str(codes[-1]) if codes else ""

    def throw_away(self, to: str) -> None:
        self.deliver(FOR_PEOPLE)
        with self._held.database.session() as session:
            session.execute(sa.delete(InboxMessage).where(InboxMessage.recipient == to))

    def none_on_its_way(self) -> AbstractContextManager[object]:
        """While it lasts, nothing is written to be read."""
        return self._turns[FOR_PEOPLE]

    def deliver(self, lanes: tuple[Lane, ...]) -> None:
        """Until nothing is due."""
        held = self._held
        with self._turns[lanes]:
            while delivery.deliver_due(held.database, self._senders, watch, held.clock(), lanes):
                pass

    def _deliver_for_ever(self, lanes: tuple[Lane, ...]) -> None:
        while True:
            self._due[lanes].wait(RETRY)
            self._due[lanes].clear()
            try:
                self.deliver(lanes)
                while lanes is FOR_PEOPLE and import_people(self._held):
                    pass
            except Exception:
                log.exception("failed")


def _told(message: InboxMessage) -> dict[str, Any]:
    body = message.body
    links = [link.rstrip(".,)") for link in _LINK.findall(body)]
    codes = _CODE.findall(body) + _TEMPORARY_PASSWORD.findall(body)
    return {
        "to": message.recipient,
        "subject": message.subject,
        "body": body,
        "at": message.at,
        "links": list(dict.fromkeys(links)),
        "codes": list(dict.fromkeys(codes)),
    }
