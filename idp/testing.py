"""A provider for a product's tests: `idp demo --test`, started and spoken to from Python.

    with running({"wiki": "http://localhost/callback"}) as latchkey:
        ada = latchkey.user("ada@acme.example")
        visit = latchkey.sign_in(ada, "wiki")

It runs in a process of its own, so that nothing that a test does to its own, its clock above all,
reaches it. Under pytest the fixture `latchkey` is one. What it does is in docs/integrate.md
("Testing your product"); this is that in Python.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from os import PathLike
from typing import IO, Any
from urllib.parse import quote_plus, urlencode, urlsplit

COMMAND = (sys.executable, "-m", "idp.commands", "demo", "--test", "--tied")
PATIENCE = 60.0
STOP_TIMEOUT = 10.0
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

RedirectUris = str | Sequence[str]


class LatchkeyError(Exception):
    """What the provider would not do, in its words."""

    def __init__(self, status: int, told: Mapping[str, Any]) -> None:
        super().__init__(told.get("error_description") or told.get("error"))
        self.status = status
        self.told = dict(told)


class NotSignedIn(LatchkeyError):
    """The sign-in ended at a page: its `title`, what it says, its `path`, and the `steps` that had
    been taken."""

    def __init__(self, status: int, told: Mapping[str, Any]) -> None:
        super().__init__(status, told)
        self.title, self.text = str(told["title"]), str(told["text"])
        self.path, self.steps = str(told["path"]), list(told["steps"])

    def __str__(self) -> str:
        return f"The sign-in stopped at {self.path}:\n{self.text}"


@dataclass(frozen=True)
class Client:
    """What your product is configured with."""

    client_id: str
    client_secret: str
    redirect_uris: list[str]
    scope: str
    token_endpoint_auth_method: str


@dataclass(frozen=True)
class User:
    """`id` is `sub` in tokens (of a client with `subject_type: public`)."""

    id: str
    email: str
    password: str = ""
    phone: str = ""
    totp_secret: str = ""
    passkey: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Letter:
    """A mail or a text message, with the links and the codes that stand in it."""

    to: str
    subject: str
    body: str
    at: float
    links: list[str]
    codes: list[str]


@dataclass(frozen=True)
class SignIn:
    """A browser that was sent back: to `redirect`, with `response` in it."""

    latchkey: Latchkey = field(repr=False)
    client_id: str
    redirect: str
    response: dict[str, str]
    steps: list[str]
    cookies: dict[str, str] = field(repr=False)
    code_verifier: str
    nonce: str

    @property
    def code(self) -> str:
        return self.response["code"]

    @cached_property
    def tokens(self) -> dict[str, Any]:
        """For the code, which is good once; of a sign-in that was asked for by client. Raises
        LatchkeyError."""
        return self.latchkey.tokens(
            self.client_id,
            grant_type="authorization_code",
            code=self.code,
            redirect_uri=self.redirect.partition("?")[0].partition("#")[0],
            code_verifier=self.code_verifier,
        )


@dataclass
class Latchkey:
    """A provider that runs. What a test does to it is gone after `reset`; `clients` are those that
    it was started with."""

    issuer: str
    control: str
    token: str = field(repr=False)
    clients: dict[str, Client]
    is_touched: bool = False

    @property
    def now(self) -> float:
        """By its clock: seconds since 1970."""
        return float(self.ask("GET", "/clock")["now"])

    def advance(self, seconds: float) -> float:
        """Its clock moves forward: sessions end, codes and tokens expire. What it says then."""
        return float(self.ask("POST", "/clock", advance=seconds)["now"])

    def user(self, email: str | None = None, **described: Any) -> User:
        """Somebody new; docs/integrate.md has what can be said of them."""
        told = {"email": email} if email else {}
        return User(**self.ask("POST", "/users", **told, **described))

    def virtual_passkey(self, user: User) -> dict[str, Any]:
        """One more passkey, which `sign_in(…, by="passkey")` uses from then on; as a browser's
        virtual authenticator takes it."""
        return dict(self.ask("POST", "/passkeys", email=user.email))

    def client(self, client_id: str, redirect_uris: RedirectUris = (), **described: Any) -> Client:
        """One more, in the words of RFC 7591."""
        uris = {"redirect_uris": _listed(redirect_uris)} if redirect_uris else {}
        made = Client(**self.ask("POST", "/clients", client_id=client_id, **uris, **described))
        self.clients[client_id] = made
        return made

    def apply(self, described: Mapping[str, Any]) -> None:
        """What a set-up file would hold: tenants with their policies, products, roles."""
        made = self.ask("POST", "/setup", **described)
        self.clients |= {name: Client(**client) for name, client in made.items()}

    def mail(self, to: str = "") -> list[Letter]:
        """The oldest first."""
        return self._captured("/mail", to)

    def sms(self, to: str = "") -> list[Letter]:
        return self._captured("/sms", to)

    def sign_in(
        self,
        user: User | str,
        client: str = "",
        redirect_uri: str = "",
        scope: str = "",
        *,
        url: str = "",
        browser: SignIn | None = None,
        **how: Any,
    ) -> SignIn:
        """By the pages. `url` is where your product sends a browser; without it the request is made
        here, for a client. `browser` is one that has been here before. Raises NotSignedIn."""
        email = user if isinstance(user, str) else user.email
        asked = {"client_id": client, "redirect_uri": redirect_uri, "scope": scope, "url": url}
        cookies = browser.cookies if browser else {}
        told = self.ask("POST", "/sign-in", email=email, cookies=cookies, **asked, **how)
        return SignIn(self, client, **told)

    def tokens(self, client_id: str, **request: str) -> dict[str, Any]:
        """A token request of a client's (RFC 6749). Raises LatchkeyError."""
        client, headers = self.clients[client_id], {"Content-Type": FORM}
        if client.token_endpoint_auth_method == "client_secret_basic":
            pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            secret = {"client_secret": client.client_secret} if client.client_secret else {}
            request = {**request, "client_id": client_id, **secret}
        return dict(_asked("POST", f"{self.issuer}/token", urlencode(request), headers))

    def reset(self) -> None:
        """As it was when it started: its clients, nobody else, and the time of this machine."""
        started = self.ask("POST", "/reset")
        self.clients.clear()
        self.clients.update(_clients(started))
        self.is_touched = False

    def ask(self, method: str, path: str, /, **body: Any) -> Any:
        """The control, as other languages ask it. Raises LatchkeyError."""
        self.is_touched = True
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": JSON}
        sent = json.dumps(body) if method == "POST" else None
        return _asked(method, f"{self.control}{path}", sent, headers)

    def _captured(self, path: str, to: str) -> list[Letter]:
        query = f"?{urlencode({'to': to})}" if to else ""
        return [Letter(**each) for each in self.ask("GET", path + query)]


@contextmanager
def running(
    clients: Mapping[str, RedirectUris] | None = None, file: str | PathLike[str] | None = None
) -> Iterator[Latchkey]:
    """A provider with these clients, and what the set-up `file` holds. It ends with us, however
    that happens."""
    named = [f"{name}={uri}" for name, uris in (clients or {}).items() for uri in _listed(uris)]
    arguments = [argument for each in named for argument in ("--client", each)]
    arguments += ["--apply", str(file)] if file else []
    with tempfile.TemporaryFile() as log, _started(arguments, log) as process:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            process.wait()
            log.seek(0)
            raise RuntimeError(f"The provider did not start:\n{log.read().decode()}")
        told = json.loads(line)
        yield Latchkey(told["issuer"], told["control"], told["token"], _clients(told))


@contextmanager
def _started(arguments: list[str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            assert pipe
            pipe.close()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listed(uris: RedirectUris) -> list[str]:
    return [uris] if isinstance(uris, str) else list(uris)


def _clients(told: Mapping[str, Any]) -> dict[str, Client]:
    return {name: Client(**client) for name, client in told["clients"].items()}


def _asked(method: str, url: str, body: str | None, headers: dict[str, str]) -> Any:
    """Without a proxy: it is this machine."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=PATIENCE)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        kind = NotSignedIn if "steps" in told and "title" in told else LatchkeyError
        raise kind(answer.status, told)
    return told
