"""How letters leave: SMTP, or the demo's inbox. Chosen by setting, used by the outbox alone."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import partial
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Database
from idp.delivery import Undelivered
from idp.secret_values import new_id
from idp.settings import Settings
from idp.traces import TRACES

SMTP_PATIENCE = 40.0  # seconds for all that a mail server answers to a letter
SMTP_HURRY = 10.0  # where somebody waits to hear whether there is one
SMTP_GOODBYE = 2.0  # for what nobody needs
SMTPS_PORT, SMTP_PORT = 465, 25


class InboxMessage(Base):
    """Only in the demo: what would have been sent."""

    __tablename__ = "inbox_messages"

    id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str]
    recipient: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str]
    body: Mapped[str]
    at: Mapped[float]


class Letter(NamedTuple):
    """One line of subject, plain text of body."""

    to: str
    subject: str
    body: str


PostLetter = Callable[[Letter, str, float], None]  # with its message's id


def letter_poster(settings: Settings, database: Database) -> PostLetter:
    """The demo's inbox, or the mail server of `smtp_url`."""
    if settings.demo_inbox:
        return lambda letter, _, now: keep_in_inbox(database, "mail", letter, now)
    return partial(_send_by_smtp, settings)


def keep_in_inbox(database: Database, channel: str, letter: Letter, now: float) -> None:
    """The demo's way to send anything."""
    with database.session() as session:
        session.execute(
            sa.insert(InboxMessage).values(
                id=new_id(),
                channel=channel,
                recipient=letter.to,
                subject=letter.subject,
                body=letter.body,
                at=now,
            )
        )


def _send_by_smtp(settings: Settings, letter: Letter, message_id: str, now: float) -> None:
    """`smtp_url` is smtp://user:password@host:port, smtps:// for TLS from the first byte."""
    parts = urlsplit(settings.smtp_url)
    if not parts.hostname:
        raise Undelivered("no mail server is set (LATCHKEY_SMTP_URL)")
    told, until = {"server.address": parts.hostname}, monotonic() + SMTP_PATIENCE
    try:
        with (
            TRACES.part("SMTP", told),
            _connected(parts.scheme, parts.hostname, parts.port, until) as server,
        ):
            if parts.username and not isinstance(server.sock, ssl.SSLSocket):
                raise Undelivered("the mail server offers no TLS, and the password stays here")
            if parts.username:
                server.login(parts.username, parts.password or "")
            message = _message(settings, letter, message_id, now)
            server.send_message(message, to_addrs=[letter.to])
    except smtplib.SMTPRecipientsRefused as problem:
        [(code, _why)] = problem.recipients.values()
        raise Undelivered(f"the mail server refused {letter.to}: {code}", code >= 500) from problem
    except (OSError, smtplib.SMTPException) as problem:
        raise Undelivered(f"mail server: {problem}") from problem


def problem_of_server(settings: Settings) -> str | None:
    """Why the mail server of `smtp_url` would take no letter now, as far as it can be told without
    one."""
    parts, until = urlsplit(settings.smtp_url), monotonic() + SMTP_HURRY
    try:
        with _connected(parts.scheme, parts.hostname or "", parts.port, until) as server:
            if parts.username:
                server.login(parts.username, parts.password or "")
            server.noop()
    except (OSError, smtplib.SMTPException) as problem:
        return type(problem).__name__
    return None


class _Line(smtplib.SMTP):
    """A connection whose answers all come `until` then: each may take what is left."""

    def __init__(self, host: str, port: int, until: float, **tls: ssl.SSLContext) -> None:
        self._until = until
        super().__init__(host, port, timeout=SMTP_HURRY, **tls)  # type: ignore[arg-type]

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None:
            self.sock.settimeout(max(0.001, self._until - monotonic()))
        return super().getreply()

    def leave(self) -> None:
        """What the server says to a goodbye is nothing about the letter before: that was taken or
        not."""
        self._until = min(self._until, monotonic() + SMTP_GOODBYE)
        with suppress(OSError, smtplib.SMTPException):
            self.quit()
        self.close()


class _LineOfTls(_Line, smtplib.SMTP_SSL):
    """With TLS from the first byte."""


@contextmanager
def _connected(scheme: str, host: str, port: int | None, until: float) -> Iterator[smtplib.SMTP]:
    context = ssl.create_default_context()
    if scheme == "smtps":
        server: _Line = _LineOfTls(host, port or SMTPS_PORT, until, context=context)
    else:
        server = _Line(host, port or SMTP_PORT, until)
    try:
        server.ehlo_or_helo_if_needed()
        if scheme != "smtps" and server.has_extn("starttls"):
            server.starttls(context=context)
        yield server
    finally:
        server.leave()


def _message(settings: Settings, letter: Letter, message_id: str, now: float) -> EmailMessage:
    """The Message-ID (RFC 5322 section 3.6.4) is the same at every try, by which a letter that came
    twice is known.

    What is assigned to a header is read as one: an encoded word (RFC 2047) in somebody's name is
    decoded, line breaks and all, and by Pythons before 3.11.10 written so. No subject has one, and
    the addressee is taken as they are."""
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["Date"] = datetime.fromtimestamp(now, UTC)
    message["Message-ID"] = f"<{message_id}@{message['From'].addresses[0].domain}>"
    local, _, domain = letter.to.rpartition("@")
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = letter.subject.replace("=?", "= ?")
    message.set_content(letter.body)
    return message
