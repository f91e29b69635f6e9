"""S67 to S69: headers that hold browsers, caches and other sites back, on every answer there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from idp.endpoints.router import EVERYBODY, OUR_CLIENTS, ROUTES
from tests.security.browsing import add_third_party, asked, every_address, over_https, rules
from tests.world import AMARA, PASSWORD, World

STATIC = ("/static/", "/bootstrap/")
PUBLIC = ("/jwks", "/check_session", "/.well-known/", "/product-colors.css", "/colors/", *STATIC)
INLINE = re.compile(
    r"<[^>]+\s(on[a-z]+|style)\s*=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE
)


def is_public(path: str) -> bool:
    return path.startswith(PUBLIC)


@pytest.fixture
def secure(world: World) -> World:
    """As it is in production: behind https."""
    return over_https(world)


def signed_in(world: World) -> Client:
    browser = world.browser()
    browser.code()
    return browser.client


def answers(world: World) -> Iterator[tuple[str, TestResponse]]:
    """Each address by each method, to nobody and to a person signed in; what is wrong; and the
    pages of a whole sign-in."""
    person = signed_in(world)
    addresses = [*every_address(world.held), ("GET", "/bootstrap/static/css/bootstrap.min.css")]
    for method, path in addresses:
        yield f"{method} {path}", asked(world, method, path)
        yield f"{method} {path}, signed in", person.open(path, method=method)
    for path in {path for _, path in addresses}:
        for method in ("PUT", "OPTIONS", "HEAD"):
            yield f"{method} {path}", asked(world, method, path)
    for path in ("/nothing", "/login", "/login/", "/static/none.js", "/%00", "/token/", "//evil"):
        yield f"GET {path}", asked(world, "GET", path)
    yield "too long", asked(world, "GET", "/authorize?state=" + "x" * 20_000)
    yield "too large", Client(world.app).post("/token", data={"x": "y" * 100_000})
    yield "too large a page", Client(world.app).post("/login/password", data={"x": "y" * 100_000})
    yield from visit(world)


def visit(world: World) -> Iterator[tuple[str, TestResponse]]:
    """Sign-in, consent and form_post of a product that is a guest."""
    add_third_party(world)
    browser = world.browser()
    ask = {"redirect_uri": "https://guest.example/callback", "response_mode": "form_post"}
    answer = browser.authorize("guest-books", **ask)
    yield "begun", answer
    page = browser.follow(answer)
    yield "password", page
    yield "wrong password", browser.submit(page, email=AMARA, password="wrong")
    page = browser.follow(browser.submit(page, email=AMARA, password=PASSWORD))
    yield "consent", page
    yield "form_post", browser.follow(browser.submit(page, decision="allow"))
    yield "error by form_post", browser.authorize("guest-books", **ask, response_type="token")


@pytest.fixture
def broken(secure: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Something that nobody foresaw, behind pages and endpoints alike."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("idp.web.context.browser.find", fail)
    monkeypatch.setattr("idp.endpoints.authorize.browser.find", fail)
    return secure


def policy(answer: TestResponse) -> dict[str, list[str]]:
    rules = [rule.split() for rule in answer.headers["Content-Security-Policy"].split(";")]
    return {rule[0]: rule[1:] for rule in rules if rule}


def check_headers(name: str, answer: TestResponse) -> None:
    headers = answer.headers
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"], name
    assert headers.getlist("Referrer-Policy") == ["no-referrer"], name
    assert headers.getlist("Cross-Origin-Opener-Policy") == ["same-origin"], name
    assert headers.getlist("Content-Security-Policy"), name
    assert "max-age=63072000" in headers.get("Strict-Transport-Security", ""), name
    assert "Server" not in headers, name
    assert "X-Powered-By" not in headers, name
    held = policy(answer)
    assert held["default-src"] == ["'none'"], name
    assert held["frame-ancestors"] == (["*"] if is_frame(answer) else ["'none'"]), name
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"} & set(held.get("script-src", []))


def is_frame(answer: TestResponse) -> bool:
    asked = answer.request
    is_shown = asked.method in ("GET", "HEAD") and answer.status_code == 200
    return asked.path == "/check_session" and is_shown


def check_frame(name: str, answer: TestResponse) -> None:
    """The one that anybody may show: a script of ours, nothing to see and nothing to press."""
    held = policy(answer)
    assert held["frame-ancestors"] == ["*"], name
    assert "style-src" not in held, name
    assert held["script-src"] == ["'self'"], name
    assert held["base-uri"] == held["form-action"] == ["'none'"], name
    assert "X-Frame-Options" not in answer.headers, name
    assert "<body" not in answer.text, name
    assert INLINE.findall(answer.text) == [], name


def check_page(name: str, answer: TestResponse) -> None:
    """A page can neither be framed nor have its links or its scripts turned elsewhere."""
    held = policy(answer)
    for directive in ("object-src", "base-uri"):
        assert held[directive] == ["'none'"], name
    assert held["script-src"] == ["'self'"], name
    assert held["style-src"] == ["'self'"], name
    assert "form-action" in held, name
    assert answer.headers["X-Frame-Options"] == "DENY", name
    assert INLINE.findall(answer.text) == [], name


def test_sec_67_every_answer_is_held_to_the_rules(secure: World) -> None:
    seen, pages = set(), 0
    for name, answer in answers(secure):
        with answer:
            check_headers(name, answer)
            seen.add(answer.status_code)
            if answer.mimetype == "text/html" and answer.data:
                (check_frame if is_frame(answer) else check_page)(name, answer)
                pages += 1
    assert {200, 204, 303, 400, 401, 403, 404, 405, 413, 414} <= seen
    assert pages > 30
    assert 500 not in seen


@pytest.mark.parametrize("path", ["/", "/account", "/logout", "/authorize?client_id=lms"])
def test_sec_67_an_accident_is_held_to_the_rules_too(broken: World, path: str) -> None:
    browser = broken.browser()
    browser.client.set_cookie("__Host-latchkey-session", "x")
    query = "&response_type=code&scope=openid&code_challenge_method=S256&code_challenge="
    answer = browser.get(path + (query + "x" * 43 if "?" in path else ""))
    assert answer.status_code == 500
    check_headers(path, answer)
    if answer.mimetype == "text/html":
        check_page(path, answer)
    assert "RuntimeError" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_sec_67_a_form_ends_here_or_at_the_product_that_asked(secure: World) -> None:
    for name, answer in visit(secure):
        if answer.mimetype == "text/html":
            targets = set(policy(answer)["form-action"])
            own = {"'self'", "http://localhost:8001", "http://localhost:8002"}
            assert targets <= own | {"http://localhost:8003", "https://guest.example"}, name


def test_sec_68_what_is_somebodys_is_kept_by_nobody(secure: World) -> None:
    for name, answer in answers(secure):
        with answer:
            kept = answer.headers.get("Cache-Control", "")
            path = name.split()[1].rstrip(",") if " /" in name else ""
            is_file = is_public(path) and answer.status_code == 200
            if not is_file and not (name.startswith("OPTIONS") and answer.status_code == 204):
                assert kept == "no-store", (name, kept)
            if kept != "no-store":
                assert answer.headers.getlist("Set-Cookie") == [], name


def test_sec_68_what_may_be_kept_is_the_same_for_everybody(secure: World) -> None:
    person = signed_in(secure)
    public = [path for method, path in every_address(secure.held) if is_public(path)]
    assert {"/jwks", "/product-colors.css", "/static/theme.css"} <= set(public)
    for path in public:
        with person.get(path) as theirs, asked(secure, "GET", path) as anybodys:
            assert theirs.data == anybodys.data, path


def test_sec_68_every_page_says_that_it_depends_on_the_cookie(secure: World) -> None:
    person = signed_in(secure)
    for method, path in rules(secure.held):
        if method == "GET" and not path.startswith(STATIC):
            with person.get(path) as answer:
                assert "Cookie" in answer.headers.get("Vary", ""), path


def test_sec_68_tokens_and_claims_are_never_kept(world: World) -> None:
    tokens = world.browser().tokens()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    basic = world.basic("lms")
    for answer in (
        world.refresh(tokens["refresh_token"]),
        world.get("/userinfo", **bearer),
        world.get("/switcher", **bearer),
        world.post("/introspect", basic, token=tokens["access_token"]),
        world.post("/revoke", basic, token=tokens["access_token"]),
        world.post("/token", basic, grant_type="nonsense"),
        world.get("/userinfo"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"


APP = "https://app.example"
EVIL = [
    "https://evil.example",
    "null",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:444",
    "https://app.example/",
    "https://APP.example",
    "http://localhost:8001",
    "http://localhost:8000",
    "*",
    "https://app.example, https://evil.example",
]


@pytest.fixture
def with_app(world: World) -> World:
    """A registered client that runs in the browser, whose scripts may call us."""
    app: dict[str, Any] = {"token_endpoint_auth_method": "none", "client_secret": None}
    own = [f"{APP}/callback", "https://SECOND.example:443/callback"]
    add_third_party(world, **app, redirect_uris=own)
    native = {"application_type": "native", "redirect_uris": ["http://127.0.0.1/callback"]}
    world.apply(
        clients=[{"client_id": "desktop", "client_name": "D", "product": "lms", **app, **native}]
    )
    return world


def test_sec_69_no_origin_is_named_that_is_not_registered(with_app: World) -> None:
    for origin in [*EVIL, "http://127.0.0.1"]:
        for method, path in every_address(with_app.held):
            for used in (method, "OPTIONS"):
                with asked(with_app, used, path, Origin=origin) as answer:
                    allowed = answer.headers.get("Access-Control-Allow-Origin")
                    is_public = path in ROUTES and ROUTES[path].cors == EVERYBODY
                    assert allowed == ("*" if is_public else None), (used, path, origin)
                    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_sec_69_a_registered_app_may_call_what_it_needs_without_cookies(with_app: World) -> None:
    for method, path in every_address(with_app.held):
        cors = ROUTES[path].cors if path in ROUTES else ""
        for used in (method, "OPTIONS"):
            with asked(with_app, used, path, Origin=APP) as answer:
                allowed = answer.headers.get("Access-Control-Allow-Origin")
                expected = {EVERYBODY: "*", OUR_CLIENTS: APP}.get(cors)
                assert allowed == expected, (used, path)
                assert "Access-Control-Allow-Credentials" not in answer.headers
                if cors == OUR_CLIENTS:
                    assert "Origin" in answer.headers["Vary"]


def test_sec_69_an_origin_is_known_as_browsers_write_it(with_app: World) -> None:
    for origin, allowed in (
        ("https://second.example", "https://second.example"),
        ("https://SECOND.example:443", None),
        ("https://second.example:8443", None),
    ):
        answer = asked(with_app, "OPTIONS", "/token", Origin=origin)
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed, origin


def test_sec_69_no_page_and_no_sign_in_is_open_to_scripts(with_app: World) -> None:
    closed = {path for path, route in ROUTES.items() if not route.cors}
    assert {"/authorize", "/introspect"} <= closed
    for path in (*closed, "/", "/account", "/login/password", "/logout"):
        answer = asked(with_app, "OPTIONS", path, Origin=APP)
        assert not any(name.startswith("Access-Control") for name, _ in answer.headers), path
