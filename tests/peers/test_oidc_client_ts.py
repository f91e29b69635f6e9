"""npm's oidc-client-ts in Chromium: silent renewal in a hidden frame, the session's frame, and the
frames that tell of a sign-out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Error, Page, expect

from tests.machine.provider_process import RunningProvider
from tests.peers.browser_app import BrowserApp, running_app
from tests.peers.registrations import Ports
from tests.world import DANA, PASSWORD

CLIENT = "peer-browser"
ASK_THE_FRAME = """([frame, words, origin]) => new Promise((done) => {
  const shown = document.createElement("iframe");
  addEventListener("message", (event) => done(event.data), { once: true });
  shown.onload = () => shown.contentWindow.postMessage(words, origin);
  shown.src = frame;
  document.body.append(shown);
})"""


@pytest.fixture(scope="module")
def app(provider: RunningProvider, ports: Ports) -> Iterator[BrowserApp]:
    with running_app(ports.browser_app, provider.issuer, CLIENT) as running:
        yield running


def sign_in(page: Page, address: str) -> dict[str, Any]:
    """The library's user, as far as it can be told to us."""
    page.goto(f"{address}/")
    page.evaluate("void manager.signinRedirect()")
    page.get_by_label("E-mail address").fill(DANA)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(re.escape(f"{address}/callback")))
    page.wait_for_load_state()
    user: dict[str, Any] = page.evaluate("signedIn.then((user) => ({...user}))")
    return user


def ask(page: Page, issuer: str, words: str) -> str:
    answer: str = page.evaluate(ASK_THE_FRAME, [f"{issuer}/check_session", words, issuer])
    return answer


def test_oidc_client_ts_renews_silently_in_a_frame_and_hears_of_the_sign_out(
    app: BrowserApp, page: Page, provider: RunningProvider
) -> None:
    first = sign_in(page, app.address())
    assert first["profile"]["tenant"] == "northwind"
    assert first["refresh_token"] is None
    renewed = page.evaluate("manager.signinSilent().then((user) => ({...user}))")
    assert renewed["access_token"] != first["access_token"]
    assert renewed["profile"]["sub"] == first["profile"]["sub"]
    state = renewed["session_state"]
    assert ask(page, provider.issuer, f"{CLIENT} {state}") == "unchanged"
    assert page.evaluate("heard") == []

    elsewhere = page.context.new_page()
    elsewhere.goto(f"{provider.issuer}/logout")
    elsewhere.get_by_role("button", name="Sign out").click()
    expect(elsewhere.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.wait_for_function("heard.includes('signed out')")
    assert ask(page, provider.issuer, f"{CLIENT} {state}") == "changed"
    with pytest.raises(Error, match="sign in"):
        page.evaluate("manager.signinSilent()")


def test_the_frame_answers_what_it_does_not_understand_with_error(
    app: BrowserApp, page: Page, provider: RunningProvider
) -> None:
    page.goto(f"{app.address()}/")
    for words in ("", "app", "app state", "app a.b c", " app a.b", "app a.b.c", "app .b", "app a."):
        assert ask(page, provider.issuer, words) == "error", words
    assert ask(page, provider.issuer, f"{CLIENT} a.b") == "changed"


def test_the_frame_says_error_where_the_browser_gives_it_no_cookies(
    app: BrowserApp, page: Page, provider: RunningProvider
) -> None:
    """Rather than that the sign-in has changed, upon which products would ask again and again."""
    page.add_init_script("document.hasStorageAccess = async () => false")
    user = sign_in(page, app.address())
    assert ask(page, provider.issuer, f"{CLIENT} {user['session_state']}") == "error"


def test_oidc_client_ts_at_another_site_is_answered_that_somebody_has_to_sign_in(
    app: BrowserApp, page: Page
) -> None:
    """Its hidden frame brings no cookie of ours (decision 0038)."""
    sign_in(page, app.address("127.0.0.1"))
    with pytest.raises(Error, match="sign in"):
        page.evaluate("manager.signinSilent()")


def test_signing_out_goes_back_once_the_frame_has_told_the_product(
    app: BrowserApp, page: Page, provider: RunningProvider
) -> None:
    user = sign_in(page, app.address())
    page.evaluate("document.cookie = 'own=mine; SameSite=Lax; Path=/'")
    app.gone.clear()
    page.evaluate("void manager.signoutRedirect({ state: 'kept' })")
    page.wait_for_url(re.compile(re.escape(f"{app.address()}/?state=")))
    ((query, cookies),) = app.gone
    told = {name: values[0] for name, values in parse_qs(query).items()}
    assert told == {"iss": provider.issuer, "sid": user["profile"]["sid"]}
    assert "own=mine" in cookies


def test_a_product_that_hangs_holds_nobody_for_longer_than_five_seconds(
    app: BrowserApp, page: Page
) -> None:
    sign_in(page, app.address())
    page.route("**/gone?*", lambda _: None)
    page.clock.install()
    page.evaluate("void manager.signoutRedirect()")
    way_back = page.get_by_role("link", name=f"Continue to {CLIENT}")
    expect(way_back).to_be_visible()
    page.clock.fast_forward(4000)
    expect(way_back).to_be_visible()
    page.clock.fast_forward(1500)
    page.wait_for_url(f"{app.address()}/")
