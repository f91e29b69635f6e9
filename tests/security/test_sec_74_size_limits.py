"""S74: what is too long, too many or too deep is refused at once, and remembered nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client, EnvironBuilder, TestResponse, run_wsgi_app

from tests.security.browsing import every_address, reopened, rules, shared_world
from tests.security.browsing_cost import cost_of, peak_of
from tests.world import World, request_for

MEGABYTE = 1024 * 1024
TOO_MUCH = {400, 413, 414, 431}
STEPS = 100_000  # a page takes some 15,000
DEARER = {  # to the library that reads them, or to a pattern for all that it may come to
    "code_challenge": 400_000,
    "percents": 200_000,
    "ten thousand parts": 400_000,
}
MEMORY = 2 * MEGABYTE
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def shared(furnished_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with shared_world(furnished_folder, tmp_path_factory) as world:
        world.browser().tokens()  # everything that is made at first use is made now
        for method, path in every_address(world.held):
            Client(world.app).open(path, method=method).close()
        yield world


def send(world: World, path: str, body: Any = None, **options: Any) -> TestResponse:
    method = "GET" if body is None else "POST"
    return Client(world.app, use_cookies=False).open(path, method=method, data=body, **options)


def asked_with(**parameters: str) -> str:
    return "/authorize?" + urlencode({**request_for(), **parameters})


LONG = {
    "state": "s" * MEGABYTE,
    "nonce": "n" * MEGABYTE,
    "scope": "openid " * (MEGABYTE // 7),
    "ten thousand scopes": " ".join(f"s{n}" for n in range(10_000)),
    "ten thousand languages": " ".join(f"l{n}" for n in range(10_000)),
    "deep claims": '{"id_token":' + "[" * 2000 + "]" * 2000 + "}",
    "deep sub claims": '{"id_token":{"sub":{"value":' + "[" * 1000 + "]" * 1000 + "}}}",
    "deep acr claims": '{"id_token":{"acr":{"value":' + "[" * 1000 + "]" * 1000 + "}}}",
    "wide claims": '{"id_token":{' + ",".join(f'"c{n}":null' for n in range(500)) + "}}",
    "redirect_uri": "http://localhost:8001/callback" + "/.." * 5000,
    "a pathological redirect_uri": "http://[" + "::" * 1000 + "]:99999999999/@@@@@",
    "id_token_hint": "e30." * 4000,
    "max_age": "9" * 4000,
    "prompt": " ".join(["login"] * 800),
    "login_hint": "x" * 5000,
    "code_challenge": "c" * 4000,
    "acr_values": " ".join(f"a{n}" for n in range(2000)),
}
NAMES = {
    "ten thousand scopes": "scope",
    "ten thousand languages": "ui_locales",
    **dict.fromkeys(("deep claims", "deep sub claims", "deep acr claims"), "claims"),
    "wide claims": "claims",
    "a pathological redirect_uri": "redirect_uri",
}
FITTING = {"wide claims", "prompt"}


@pytest.mark.parametrize("what", list(LONG))
def test_sec_74_a_parameter_that_is_too_long_is_refused_at_once(shared: World, what: str) -> None:
    path, limit = asked_with(**{NAMES.get(what, what): LONG[what]}), DEARER.get(what, STEPS)
    answer, steps = cost_of(lambda: send(shared, path), limit)
    assert steps < limit
    is_told = answer.status_code == 303 and "error=invalid" in answer.headers["Location"]
    is_taken = what in FITTING and answer.status_code == 303
    assert answer.status_code in TOO_MUCH or is_told or is_taken
    assert peak_of(lambda: send(shared, path)) < MEMORY


def test_sec_74_a_stranger_has_us_keep_no_more_than_six_kilobytes(either_world: World) -> None:
    """Each sign-in that begins is kept for half an hour, for anybody."""
    world = either_world

    def kept() -> int:
        return sum(len(text) for (text,) in world.run("SELECT value FROM ephemeral_values"))

    def asked(**parameters: str) -> str:
        return send(world, asked_with(**parameters)).headers["Location"]

    most = {"state": "s" * 4000, "nonce": "n" * 1000}
    assert asked(**most).startswith("/login/password?")
    before = kept()
    for name in ("login_hint", "id_token_hint"):
        assert "error=invalid_request" in asked(**most, **{name: "x" * 2000}), name
    away = send(world, "/manage/northwind?q=" + "x" * 7000)
    assert away.status_code == 414
    assert kept() == before


BODIES: dict[str, tuple[Any, str]] = {
    "a megabyte": ("x=" + "y" * MEGABYTE, FORM),
    "eight thousand fields": ("&".join(f"f{n}=1" for n in range(8000)), FORM),
    "ten thousand names": ("&" * 10_000, FORM),
    "ten thousand parts": (
        b"".join(
            b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nv\r\n' for _ in range(900)
        )
        + b"--b--",
        "multipart/form-data; boundary=b",
    ),
    "one endless part": (b"--b\r\n" + b"x" * 60_000, "multipart/form-data; boundary=b"),
    "a part without end of line": (
        b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + b"\r" * 60_000,
        "multipart/form-data; boundary=b",
    ),
    "deep JSON": ("[" * 60_000, "application/json"),
    "percents": ("x=" + "%41" * 20_000, FORM),
    "broken percents": ("x=" + "%" * 60_000, FORM),
    "no text": (b"x=" + b"\xff" * 60_000, FORM),
    "no text, escaped": ("x=" + "%ff" * 1000, FORM),
    "a null": ("token=%00&grant_type=%00&client_id=%00&email=%00", FORM),
}


@pytest.mark.parametrize("what", list(BODIES))
def test_sec_74_a_body_that_is_too_much_is_refused_at_once(shared: World, what: str) -> None:
    (body, kind), limit = BODIES[what], DEARER.get(what, STEPS)
    for method, path in every_address(shared.held):
        if method != "POST":
            continue
        asked = partial(send, shared, path, body, content_type=kind)
        answer, steps = cost_of(asked, limit)
        assert answer.status_code < 500, (path, answer.status)
        is_asked_again = answer.status_code == 303 and path in ("/authorize", "/logout")
        assert answer.status_code >= 400 or is_asked_again, (path, answer.status)
        assert steps < limit, path
        # Else a megabyte would be read after all: cheap enough to go unnoticed.
        assert len(body) < MEGABYTE or answer.status_code in (401, 413), (path, answer.status)


HEADERS = {
    "a thousand cookies": {"Cookie": "; ".join(f"c{n}={'v' * 20}" for n in range(1000))},
    "a cookie of a megabyte": {"Cookie": "latchkey-session=" + "x" * MEGABYTE},
    "an endless list of languages": {
        "Accept-Language": ",".join(f"l{n};q=0.1" for n in range(9000))
    },
    "a bearer of a megabyte": {"Authorization": "Bearer " + "x" * MEGABYTE},
    "a name of a megabyte": {"User-Agent": "x" * MEGABYTE},
    "many headers": {f"X-H{n}": "v" * 100 for n in range(500)},
}


@pytest.mark.parametrize("what", list(HEADERS))
def test_sec_74_headers_that_are_too_much_are_refused_at_once(shared: World, what: str) -> None:
    """By pages and endpoints alike."""
    sent = EnvironBuilder(headers=HEADERS[what].items()).get_environ()  # checked once
    for method, path in every_address(shared.held):
        environ = {**sent, "PATH_INFO": path, "REQUEST_METHOD": method}
        (_body, status, _headers), steps = cost_of(partial(answered, shared, environ), STEPS)
        assert status.startswith("431 "), (method, path, status)
        assert steps < STEPS, path


def answered(world: World, environ: dict[str, Any]) -> tuple[Any, str, Any]:
    return run_wsgi_app(world.app, environ.copy(), buffered=True)


@pytest.mark.parametrize("path", ["/", "/logout", "/account", "/login/password", "/nothing"])
def test_sec_74_an_address_that_is_too_long_is_refused_by_pages_too(
    shared: World, path: str
) -> None:
    for query in ("x=" + "y" * MEGABYTE, "&".join(f"f{n}=1" for n in range(10_000))):
        asked = partial(send, shared, f"{path}?{query}")
        answer, steps = cost_of(asked, STEPS)
        assert answer.status_code == 414
        assert steps < STEPS


def test_sec_74_what_is_remembered_of_tokens_is_bounded(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.tokens.signed_tokens.REMEMBERED_TOKENS", 8)
    browser = shared.browser()
    for _ in range(12):
        assert shared.userinfo(browser.tokens()["access_token"]).status_code == 200
    assert len(shared.held.tokens._seen) <= 8
    for number in range(20):
        assert shared.userinfo(f"e30.{number}.x").status_code == 401
    assert len(shared.held.tokens._seen) <= 8


def test_sec_74_a_long_sign_in_form_is_refused_before_it_costs_anything(shared: World) -> None:
    """1 MB in each field in turn; the password is S45's."""
    for field in ("email", "product", "attempt", "csrf_token", "unknown"):
        answer = send(shared, "/login/password", {field: "x" * MEGABYTE})
        assert answer.status_code in TOO_MUCH, field


def test_sec_74_a_null_character_is_no_accident_to_any_database(either_world: World) -> None:
    """PostgreSQL refuses to look for one."""
    browser = either_world.browser()
    browser.code()
    page = browser.get("/account")
    demo = reopened(either_world, replace(either_world.settings, demo_inbox=True))
    assert demo.get("/inbox?to=%00").status_code == 400
    demo.held.database.close()
    fields = ("client", "session", "email", "product", "tenant", "attempt", "decision")
    for method, path in rules(either_world.held):
        if method == "POST":
            answer = browser.submit(page, path, **dict.fromkeys(fields, "a\x00b"))
            assert answer.status_code in (401 if path.startswith("/api/") else 303, 400), path
        elif not path.startswith(("/static", "/bootstrap")):
            assert browser.get(f"{path}?x=%00&to=%00&attempt=%00").status_code in (303, 400), path
