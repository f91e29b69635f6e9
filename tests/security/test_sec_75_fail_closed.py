"""S75: when a store or a check fails, nothing is allowed, and an outage is told as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from werkzeug.test import Client, TestResponse

from idp.errors import StoreUnavailable
from idp.tokens import signed_tokens
from tests.security.browsing import SignInForm, minted
from tests.security.browsing_acts import NAMES, Acts, Away, failing
from tests.world import AMARA, PASSWORD, World


def outage() -> Exception:
    return StoreUnavailable("database: away")


def each_failure(
    world: World, name: str, accident: Callable[[], Exception]
) -> Iterator[tuple[int, TestResponse]]:
    """The act with the first statement failing, then the second, and so on."""
    prepare = Acts(world).prepare[name]
    for left in range(100):
        act = prepare()
        world.clock.move(2)  # so that what may be a second old is read again
        away = Away(accident)
        away.left = left
        with failing(away):
            answer = act()
        if away.asked <= left:
            assert answer.status_code in (200, 303)
            return
        yield left, answer
    raise AssertionError("it never ended")


@pytest.mark.parametrize("name", NAMES)
def test_sec_75_an_outage_at_any_statement_is_a_503_and_gives_nothing(
    world: World, name: str
) -> None:
    tried = 0
    for left, answer in each_failure(world, name, outage):
        assert answer.status_code == 503, (left, answer.status, answer.text[:300])
        assert answer.headers["Retry-After"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert_gives_nothing(answer)
        tried += 1
    assert tried > 0


@pytest.mark.parametrize("name", NAMES)
def test_sec_75_an_accident_at_any_statement_gives_nothing_and_says_nothing(
    world: World, name: str
) -> None:
    for left, answer in each_failure(world, name, lambda: RuntimeError("canary-of-the-accident")):
        assert answer.status_code == 500, (left, answer.status)
        assert_gives_nothing(answer)
        assert "canary" not in answer.text
        assert "Traceback" not in answer.text


def assert_gives_nothing(answer: TestResponse) -> None:
    assert "Location" not in answer.headers
    assert "latchkey-session" not in str(answer.headers.getlist("Set-Cookie"))
    for word in ("access_token", "id_token", '"sub"', '"active":true', AMARA):
        assert word not in answer.text, word


def test_sec_75_a_revocation_that_could_not_be_written_is_no_revocation(world: World) -> None:
    """fosite said 200 here once (CVE-2020-15223)."""
    given = world.browser().tokens()
    for kind in ("access_token", "refresh_token"):
        away = Away(outage)
        away.left = 1
        with failing(away):
            answer = world.post("/revoke", world.basic("lms"), token=given[kind])
        assert answer.status_code == 503
        assert world.introspect(given[kind])["active"]


@pytest.mark.parametrize("problem", [outage(), RuntimeError("x"), MemoryError(), OSError("x")])
def test_sec_75_a_hasher_that_fails_lets_nobody_in(
    world: World, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = SignInForm(world)

    def fail(*_: object) -> bool:
        raise problem

    monkeypatch.setattr(world.held.hasher, "compare", fail)
    answer = form.send(AMARA, PASSWORD)
    assert answer.status_code == (503 if isinstance(problem, StoreUnavailable) else 500)
    assert_gives_nothing(answer)
    mine = "SELECT failed FROM attempt_limits WHERE key LIKE 'password%'"
    assert world.run(mine) == [(1,)]


def test_sec_75_a_password_hash_that_is_damaged_lets_nobody_in(world: World) -> None:
    form = SignInForm(world)
    for damaged in ("", "x", "$argon2id$v=19$m=64,t=1,p=1$$", "plain " + PASSWORD, PASSWORD):
        world.run("UPDATE passwords SET hash = :h", h=damaged)
        world.run("DELETE FROM attempt_limits")
        assert form.send(AMARA, PASSWORD).status_code == 400, damaged


@pytest.mark.parametrize("held", ["catalog", "key_ring"])
def test_sec_75_what_cannot_be_read_again_is_not_taken_from_memory(
    world: World, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = world.browser()
    given, code = browser.tokens(), browser.code()
    world.clock.move(2)
    monkeypatch.setattr(getattr(world.held, held), "current", unavailable)
    for answer in (
        world.redeem(code),
        world.refresh(given["refresh_token"]),
        world.userinfo(given["access_token"]),
        world.post("/introspect", world.basic("lms"), token=given["access_token"]),
    ):
        assert answer.status_code == 503
        assert_gives_nothing(answer)
    assert world.get("/jwks").status_code == 200


def unavailable(_: float) -> None:
    raise StoreUnavailable("database: away")


def test_sec_75_a_fault_in_the_key_ring_verifies_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = minted(world, "at+jwt", {"iss": "x"})
    monkeypatch.setitem(signed_tokens._VERIFY, "ES256", unavailable_key)
    answer = world.userinfo(forged)
    assert answer.status_code in (401, 500)
    assert_gives_nothing(answer)


def unavailable_key(*_: object, **__: object) -> None:
    raise RuntimeError("the key is strange")


ODD_HEADERS = [
    {"Content-Length": "-1"},
    {"Content-Length": "x"},
    {"Content-Length": "٣"},
    {"Authorization": "Basic"},
    {"Authorization": "Basic \xff"},
    {"Authorization": "Basic " + "A" * 5},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer \xff\xfe"},
    {"Cookie": "=;;;=\x80; latchkey-session"},
    {"Cookie": 'latchkey-session="\\377\\000"'},
    {"Cookie": "latchkey-form=.e.x"},
    {"If-None-Match": ",,,\xff"},
    {"Accept-Language": ";q=x,,*;q=9" * 50},
    {"Host": "\xff"},
    {"Origin": "http://[::1"},
    {"X-Forwarded-For": "nonsense, ;"},
]


PLACES = (
    *(("GET", path) for path in ("/", "/account", "/userinfo", "/jwks", "/authorize")),
    *(("POST", path) for path in ("/token", "/revoke", "/login/password", "/logout")),
)


def test_sec_75_a_header_that_cannot_be_read_is_no_accident(world: World) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers in ODD_HEADERS:
        for method, path in PLACES:
            visitor = Client(world.app, use_cookies=False)
            with visitor.open(path, method=method, headers={**headers, **form}) as answer:
                assert answer.status_code < 500, (method, path, headers)
                assert "code=" not in answer.headers.get("Location", ""), (method, path, headers)
