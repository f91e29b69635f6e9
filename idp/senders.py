"""How letters leave: SMTP, or the demo's inbox. Chosen by setting, used by the outbox alone."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from typing import NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Database
from idp.delivery import Undelivered
from idp.secret_values import new_id
from idp.settings import Settings
from idp.traces import TRACES

SMTP_TIMEOUT = 10
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


PostLetter = Callable[[Letter, float], None]


def letter_poster(settings: Settings, database: Database) -> PostLetter:
    """The demo's inbox, or the mail server of `smtp_url`."""
    if settings.demo_inbox:
        return lambda letter, now: keep_in_inbox(database, "mail", letter, now)
    return lambda letter, now: _send_by_smtp(settings, letter)


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


def _send_by_smtp(settings: Settings, letter: Letter) -> None:
    """`smtp_url` is smtp://user:password@host:port, smtps:// for TLS from the first byte."""
    parts = urlsplit(settings.smtp_url)
    if not parts.hostname:
        raise Undelivered("no mail server is set (LATCHKEY_SMTP_URL)")
    told = {"server.address": parts.hostname}
    try:
        with (
            TRACES.part("SMTP", told),
            _connected(parts.scheme, parts.hostname, parts.port) as server,
        ):
            if parts.username and not isinstance(server.sock, ssl.SSLSocket):
                raise Undelivered("the mail server offers no TLS, and the password stays here")
            if parts.username:
                server.login(parts.username, parts.password or "")
            server.send_message(_message(settings, letter), to_addrs=[letter.to])
    except smtplib.SMTPRecipientsRefused as problem:
        raise Undelivered(f"the mail server refused {letter.to}", refused=True) from problem
    except (OSError, smtplib.SMTPException) as problem:
        raise Undelivered(f"mail server: {problem}") from problem


def problem_of_server(settings: Settings) -> str | None:
    """Why the mail server of `smtp_url` would take no letter now, as far as it can be told without
    one."""
    parts = urlsplit(settings.smtp_url)
    try:
        with _connected(parts.scheme, parts.hostname or "", parts.port) as server:
            if parts.username:
                server.login(parts.username, parts.password or "")
            server.noop()
    except (OSError, smtplib.SMTPException) as problem:
        return type(problem).__name__
    return None


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port or SMTPS_PORT, timeout=SMTP_TIMEOUT, context=context)
    server = smtplib.SMTP(host, port or SMTP_PORT, timeout=SMTP_TIMEOUT)
    server.ehlo_or_helo_if_needed()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    return server


def _message(settings: Settings, letter: Letter) -> EmailMessage:
    """What is assigned to a header is read as one: an encoded word (RFC 2047) in somebody's name is
    decoded, line breaks and all, and by Pythons before 3.11.10 written so. No subject has one, and
    the addressee is taken as they are."""
    message = EmailMessage()
    message["From"] = settings.mail_from
    local, _, domain = letter.to.rpartition("@")
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = letter.subject.replace("=?", "= ?")
    message.set_content(letter.body)
    return message
