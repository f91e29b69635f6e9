"""What is measured: for each workload the flows that its visitors repeat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bench import messages
from bench.browser import Browser
from bench.driver import Flow, Window, drive
from bench.messages import expect, get, post
from bench.registry import (
    CLIENTS,
    MACHINE_ES256,
    MACHINE_RS256,
    PASSWORD,
    PEOPLE,
    SPA,
    WEB,
    WEB_ES256,
    BenchClient,
    email,
)

CONNECTIONS = 16
SIGN_INS_AT_ONCE = 4  # more than the provider lets wait for a hash would be told to come again
USED_UP_AT_FIRST = 1000
USED_UP_AT_MOST = 4000
DISCOVERY = "/.well-known/openid-configuration"


@dataclass
class Visit:
    """What the visitors of one system hold: one signed-in browser for each connection, its tokens
    by client, and `unused` codes or tokens; `wanted` is how many a window seems to need. A peer
    may let people in by `cookie_of` the n-th of them, and have `asked` the same in other words."""

    port: int = 0
    cookie_of: Callable[[int, int], str] | None = None
    asked: Callable[[bytes], bytes] = bytes
    cookies: list[str] = field(default_factory=list)
    tokens: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unused: deque[str] = field(default_factory=deque)
    wanted: int = USED_UP_AT_FIRST
    sign_in_forms: list[Browser] = field(default_factory=list)
    people: Iterator[int] = field(default_factory=count)

    def prepare(self) -> None:
        """Sign everybody in, and let every client of theirs get its first tokens."""
        for number in range(CONNECTIONS):
            self.cookies.append((self.cookie_of or _signed_in)(self.port, number))
        for client in CLIENTS:
            if not client.is_machine:
                self.tokens[client.client_id] = [{} for _ in self.cookies]
                flows = [_first_tokens(self, client, n) for n in range(CONNECTIONS)]
                self.drive(flows, None)

    def drive(
        self,
        flows: list[Flow],
        seconds: float | None,
        requests_per_round: int = 1,
        cpu_seconds: Callable[[], float] = lambda: 0.0,
    ) -> Window:
        asking = [flow if self.asked is bytes else _asking(self.asked, flow) for flow in flows]
        return drive(asking, self.port, seconds, requests_per_round, cpu_seconds)


def _signed_in(port: int, number: int) -> str:
    browser = Browser(port)
    browser.sign_in(WEB.authorize("", email(number)), email(number), PASSWORD)
    return browser.cookie_header


def _asking(asked: Callable[[bytes], bytes], flow: Flow) -> Flow:
    request = next(flow)
    while True:
        answer = yield asked(request)
        try:
            request = flow.send(answer)
        except StopIteration:
            return


@dataclass(frozen=True)
class Workload:
    """`prepare` is done before each window and not measured. `stretch`: how much longer than others
    its windows are. `is_ours_alone`: the peer's pages are not comparable."""

    name: str
    title: str
    flows: Callable[[Visit], list[Flow]]
    requests_per_round: int = 1
    prepare: Callable[[Visit], None] = lambda visit: None
    stretch: float = 1.0
    is_ours_alone: bool = False


def _first_tokens(visit: Visit, client: BenchClient, number: int) -> Flow:
    found = yield get(client.authorize(), Cookie=visit.cookies[number])
    answer = yield post("/token", client.exchange(messages.code(found)), **client.headers)
    visit.tokens[client.client_id][number] = messages.tokens(answer)


def _repeat(request: bytes) -> Flow:
    while True:
        expect((yield request), 200)


def _same_for_all(make_request: Callable[[], bytes]) -> Callable[[Visit], list[Flow]]:
    return lambda visit: [_repeat(make_request()) for _ in range(CONNECTIONS)]


def _machine(client: BenchClient) -> Callable[[Visit], list[Flow]]:
    form = {"grant_type": "client_credentials"}
    return _same_for_all(lambda: post("/token", form, **client.headers))


def _by_token(make_request: Callable[[str], bytes]) -> Callable[[Visit], list[Flow]]:
    """One token for each connection, shown again and again, as an API does that asks each time."""
    return lambda visit: [
        _repeat(make_request(held["access_token"])) for held in visit.tokens[WEB.client_id]
    ]


def _using_up(make_request: Callable[[str], bytes]) -> Callable[[Visit], list[Flow]]:
    """Each code or token once. The window ends with the last one; there are more the next time."""

    def flow(visit: Visit) -> Flow:
        while visit.unused:
            expect((yield make_request(visit.unused.popleft())), 200)
        visit.wanted = USED_UP_AT_MOST

    return lambda visit: [flow(visit) for _ in range(CONNECTIONS)]


def _prepare_tokens(visit: Visit) -> None:
    """Access tokens that the server has never been shown."""

    def flow(refresh_token: str) -> Flow:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        request = post("/token", form, **WEB.headers)
        while len(visit.unused) < visit.wanted:
            visit.unused.append(messages.tokens((yield request))["access_token"])

    visit.unused.clear()
    held = visit.tokens[WEB.client_id]
    visit.drive([flow(each["refresh_token"]) for each in held], None)


def _prepare_codes(visit: Visit) -> None:
    """New ones each time, since they are good for a minute."""

    def flow(cookie: str) -> Flow:
        asked = get(WEB.authorize(), Cookie=cookie)
        while len(visit.unused) < visit.wanted:
            visit.unused.append(messages.code((yield asked)))

    visit.unused.clear()
    visit.drive([flow(cookie) for cookie in visit.cookies], None)


def _userinfo(token: str) -> bytes:
    return get("/userinfo", Authorization=f"Bearer {token}")


def _introspection(token: str) -> bytes:
    return post("/introspect", {"token": token}, **WEB.headers)


def _refresh(client: BenchClient) -> Callable[[Visit], list[Flow]]:
    """A chain for each connection: the next request spends what the last answer gave."""

    def flow(visit: Visit, number: int) -> Flow:
        held = visit.tokens[client.client_id]
        token = held[number]["refresh_token"]
        while True:
            form = {"grant_type": "refresh_token", "refresh_token": token, **client.form}
            given = messages.tokens((yield post("/token", form, **client.headers)))
            held[number] |= given
            token = held[number]["refresh_token"]

    return lambda visit: [flow(visit, number) for number in range(CONNECTIONS)]


def _round(client: BenchClient) -> Callable[[Visit], list[Flow]]:
    """Silent single sign-on: the request with the browser's cookie, then the code for tokens."""

    def flow(cookie: str) -> Flow:
        asked = get(client.authorize(), Cookie=cookie)
        while True:
            form = client.exchange(messages.code((yield asked)))
            expect((yield post("/token", form, **client.headers)), 200)

    return lambda visit: [flow(cookie) for cookie in visit.cookies]


def _exchange(code: str) -> bytes:
    return post("/token", WEB.exchange(code), **WEB.headers)


def _prepare_sign_in(visit: Visit) -> None:
    """Browsers that have seen the page once: their cookies and CSRF tokens."""
    while len(visit.sign_in_forms) < SIGN_INS_AT_ONCE:
        browser = Browser(visit.port)
        browser.read_form(WEB.authorize(""))
        visit.sign_in_forms.append(browser)


def _sign_in(visit: Visit) -> list[Flow]:
    """From the product's request to its code, without drawing the page: a person takes far longer
    to fill it in than we to send it."""

    def flow(browser: Browser) -> Flow:
        cookie = browser.cookie_header
        asked = get(WEB.authorize(""), Cookie=cookie)
        while True:
            page = expect((yield asked), 303).header(b"location").decode()
            form = {
                **browser.form,
                "attempt": page.rpartition("attempt=")[2],
                "email": email(next(visit.people) % PEOPLE),
                "password": PASSWORD,
            }
            back = expect((yield post("/login/password", form, Cookie=cookie)), 303)
            messages.code((yield get(back.header(b"location").decode(), Cookie=cookie)))

    return [flow(browser) for browser in visit.sign_in_forms]


WORKLOADS = (
    Workload("discovery", "discovery", _same_for_all(lambda: get(DISCOVERY))),
    Workload("jwks", "JWKS", _same_for_all(lambda: get("/jwks"))),
    Workload("machine-rs256", "client_credentials, RS256", _machine(MACHINE_RS256)),
    Workload("machine-es256", "client_credentials, ES256", _machine(MACHINE_ES256)),
    Workload("refresh", "refresh, rotated, RS256", _refresh(SPA)),
    Workload("refresh-kept", "refresh, not rotated, RS256", _refresh(WEB)),
    Workload("code", "code exchange, RS256", _using_up(_exchange), prepare=_prepare_codes),
    Workload("sso-rs256", "silent SSO round, RS256", _round(WEB), 2),
    Workload("sso-es256", "silent SSO round, ES256", _round(WEB_ES256), 2),
    Workload("userinfo", "userinfo", _by_token(_userinfo)),
    Workload("userinfo-new", "userinfo, new tokens", _using_up(_userinfo), prepare=_prepare_tokens),
    Workload("introspection", "introspection", _by_token(_introspection)),
    Workload(
        "introspection-new",
        "introspection, new tokens",
        _using_up(_introspection),
        prepare=_prepare_tokens,
    ),
    Workload("password", "password sign-in", _sign_in, 3, _prepare_sign_in, 3.0, True),
)
