"""Real servers on loopback that take what is sent: Twilio's protocol, and a mail server's."""

from __future__ import annotations

from asyncio import sleep
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from threading import Thread
from typing import Any

import orjson
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.machine.processes import free_port

ACCOUNT, TOKEN = "AC0123456789abcdef0123456789abcdef", "a token: with/odd@signs"
ERRORS = {  # as their documentation has them
    400: {"code": 21211, "message": "The 'To' number +12015550123 is not valid.", "status": 400},
    402: {"code": "+12015550123", "status": 402},
    401: {"code": 20003, "message": "Authenticate", "status": 401},
    429: {"code": 20429, "message": "Too Many Requests", "status": 429},
    503: {"code": 20503, "message": "Service unavailable", "status": 503},
}


@dataclass
class Twilio:
    """`answers` are the next statuses; 201 once they are used up. `heard` is what it took."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self.requests += 1
        status = self._status(request)
        if status == 201:
            self.heard.append(request.form.to_dict())
            said: Any = {"sid": "SM" + "0" * 32, "status": "queued", "error_code": None}
        else:
            said = ERRORS.get(status, {})
        return Response(orjson.dumps(said), status, content_type="application/json")

    def _status(self, request: Request) -> int:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if (kind, b64decode(given).decode()) != ("Basic", f"{ACCOUNT}:{TOKEN}"):
            return 401
        if request.method != "POST" or request.path != (
            f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        ):
            return 404
        if {"To", "Body"} - set(request.form) or not {"From", "MessagingServiceSid"} & set(
            request.form
        ):
            return 400
        return self.answers.pop(0) if self.answers else 201


@contextmanager
def twilio() -> Iterator[Twilio]:
    app = Twilio()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    app.url = f"127.0.0.1:{server.server_port}"
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailServer:
    """`answers` are the next replies to a message, and `to_names` to a recipient; 250 once they are
    used up. `at_the_end` is what it says to a goodbye, "" where it is gone already. It `dawdles`
    for so many seconds before it answers to a recipient, and again to a message, which it has."""

    answers: list[str] = field(default_factory=list)
    to_names: list[str] = field(default_factory=list)
    at_the_end: str = "221 Bye"
    dawdles: float = 0.0
    heard: list[EmailMessage] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await sleep(self.dawdles)
        if self.to_names:
            return self.to_names.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.heard.append(BytesParser(policy=default).parsebytes(envelope.content or b""))  # type: ignore[arg-type]
        await sleep(self.dawdles)
        return answer

    async def handle_QUIT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if server.transport and not self.at_the_end:
            server.transport.close()
        return self.at_the_end

    def up(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def down(self) -> None:
        self._controller.stop()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    server.up()
    try:
        yield server
    finally:
        server.down()
