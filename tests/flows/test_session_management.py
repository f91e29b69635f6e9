"""`session_state` and the cookie that it is made of (OpenID Connect Session Management 1.0)."""

from __future__ import annotations

from hashlib import sha256

import pytest

from idp.oidc.session_state import session_state
from idp.origins import origin_of
from tests.security.browsing import over_https
from tests.security.protocol import NATIVE, answer_to, of_people, register
from tests.world import ADDRESSES, AMARA, BEN, PASSWORD, Visitor, World, sent_back

STATE = "latchkey-state"
PRIVATE = of_people(
    "private",
    "none",
    application_type="native",
    redirect_uris=["com.example.app:/callback"],
)


def state_of(visitor: Visitor, name: str = STATE) -> str:
    cookie = visitor.client.get_cookie(name)
    return cookie.value if cookie else ""


def judged(visitor: Visitor, told: str, client_id: str = "lms") -> bool:
    """As the frame does it, by what the browser has."""
    hashed, _, salt = told.partition(".")
    text = f"{client_id} {ADDRESSES[client_id]} {state_of(visitor)} {salt}"
    return sha256(text.encode()).hexdigest()[:32] == hashed


def told(visitor: Visitor, client_id: str = "lms", **asked: str) -> str:
    return sent_back(visitor.authorize(client_id, prompt="none", **asked))["session_state"]


def test_the_answer_tells_the_state_of_the_browsers_session(world: World) -> None:
    visitor = world.browser()
    visitor.sign_in()
    first, again = told(visitor), told(visitor)
    assert first != again, "each has a salt of its own"
    assert judged(visitor, first)
    assert judged(visitor, again)
    assert judged(visitor, told(visitor, "payments"), "payments")
    assert not judged(visitor, told(visitor, "payments"), "lms")


def test_signing_in_tells_it_too(world: World) -> None:
    visitor = world.browser()
    answer = sent_back(visitor.sign_in())
    assert judged(visitor, answer["session_state"])
    page = visitor.follow(visitor.authorize(response_mode="form_post"))
    assert 'name="session_state"' in page.text


def test_it_changes_with_the_session_and_with_nothing_less(world: World) -> None:
    visitor = world.browser()
    visitor.sign_in()
    before = told(visitor)
    page = visitor.follow(visitor.authorize(prompt="login"))
    visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert judged(visitor, before), "the same person has proven again who they are"
    page = visitor.follow(visitor.authorize(prompt="login"))
    visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    assert not judged(visitor, before)
    of_ben = told(visitor)
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert state_of(visitor) == ""
    assert not judged(visitor, of_ben)
    visitor.sign_in(BEN)
    assert not judged(visitor, of_ben)


@pytest.mark.parametrize("kept", ["", "of-another-session"])
def test_a_browser_that_has_lost_the_state_is_given_it_again(world: World, kept: str) -> None:
    """Or its products would ask again and again."""
    visitor = world.browser()
    visitor.sign_in()
    before = state_of(visitor)
    visitor.client.set_cookie(STATE, kept) if kept else visitor.client.delete_cookie(STATE)
    answer = visitor.authorize(prompt="none")
    assert state_of(visitor) == before
    assert judged(visitor, sent_back(answer)["session_state"])
    assert "Set-Cookie" not in visitor.authorize(prompt="none").headers


def test_the_state_opens_nothing_and_names_nobody(world: World) -> None:
    visitor, stranger = world.browser(), world.browser()
    visitor.sign_in()
    ((session_id, user_id),) = world.run("SELECT id, user_id FROM sessions")
    state = state_of(visitor)
    assert len(state) == 32
    assert not {session_id, user_id} & {state}
    for name in (STATE, "latchkey-session"):
        stranger.client.set_cookie(name, state)
    assert sent_back(stranger.authorize(prompt="none"))["error"] == "login_required"


def test_no_state_is_told_where_no_frame_could_ask(world: World) -> None:
    register(world, PRIVATE, NATIVE)
    visitor = world.browser()
    assert "session_state" not in sent_back(answer_to(visitor, PRIVATE))
    assert "session_state" in sent_back(answer_to(visitor, NATIVE))
    plain = answer_to(visitor, NATIVE, scope="profile")
    assert "session_state" not in sent_back(plain), "it is OpenID Connect's"


def test_an_error_tells_no_state(world: World) -> None:
    assert "session_state" not in sent_back(world.browser().authorize(prompt="none"))


@pytest.mark.parametrize("is_https", [False, True])
def test_the_frame_is_the_same_for_everybody_and_knows_its_cookie(
    world: World, is_https: bool
) -> None:
    world = over_https(world) if is_https else world
    known = world.get("/.well-known/openid-configuration").json or {}
    assert known["check_session_iframe"] == f"{known['issuer']}/check_session"
    page = world.get("/check_session")
    name = f"__Host-{STATE}" if is_https else STATE
    assert f'data-cookie="{name}"' in page.text
    assert page.headers["Cache-Control"] == "public, max-age=3600"
    assert "Set-Cookie" not in page.headers
    visitor = world.browser()
    visitor.sign_in()
    assert state_of(visitor, name)


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://App.Example/cb?x=1", "https://app.example"),
        ("https://app.example:443/cb", "https://app.example"),
        ("https://app.example:8443", "https://app.example:8443"),
        ("http://127.0.0.1:80/cb", "http://127.0.0.1"),
        ("http://[::1]:9000/cb", "http://[::1]:9000"),
        ("com.example.app:/cb", None),
        ("https://app.example:port/cb", None),
        ("https://app.example:99999/cb", None),
        ("https://[::1/cb", None),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(uri: str, origin: str | None) -> None:
    assert origin_of(uri) == origin
    assert (session_state("lms", uri, "state") is None) == (origin is None)
