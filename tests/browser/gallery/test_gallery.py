"""What every page of the provider promises, seen in a real browser with made-up people."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, ViewportSize, expect
from werkzeug.serving import make_server

from idp.web.languages import read_catalog
from tests.browser.gallery.app import ROOT, TRANSLATIONS, create_gallery
from tests.browser.gallery.scenes import SCENES
from tests.machine.axe import barriers, barriers_of_colour, look_at

PAGES = [scene for scene, (template, _) in SCENES.items() if template.endswith(".html")]
AT_THE_DOOR, BEHIND_THE_DOOR = 30_000, 40_000  # bytes of HTML and CSS
NARROWEST: ViewportSize = {"width": 320, "height": 700}

Gallery = Callable[..., str]


def whole(app: Flask) -> Callable[..., Iterable[bytes]]:
    """Answers are read to their end, and closed, before anybody hangs up on them."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with closing(app(environ, start_response)) as parts:  # type: ignore[type-var]
            return [b"".join(parts)]

    return answer


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    """`gallery("es")` is the address of the gallery in that language."""
    servers = {}

    def address(language: str = "en") -> str:
        if language not in servers:
            server = make_server("127.0.0.1", 0, whole(create_gallery(language)), threaded=True)
            Thread(target=server.serve_forever, daemon=True).start()
            servers[language] = server
        return f"http://127.0.0.1:{servers[language].server_port}"

    yield address
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def visitor(chromium: Browser) -> Iterator[Page]:
    """A page that stays where it is: the one script that leaves by itself is empty here."""
    context = chromium.new_context()
    context.route("**/form_post.js", lambda route: route.fulfill(content_type="text/javascript"))
    yield context.new_page()
    context.close()


@pytest.fixture
def complaints(visitor: Page) -> Iterator[list[str]]:
    """What the browser complained about, breaches of the content policy among it."""
    heard: list[str] = []

    def listen(message: Any) -> None:
        if message.type in {"error", "warning"}:
            heard.append(message.text)

    def fail(error: Any) -> None:
        heard.append(str(error))

    visitor.on("console", listen)
    visitor.on("pageerror", fail)
    yield heard
    visitor.remove_listener("console", listen)
    visitor.remove_listener("pageerror", fail)


@pytest.fixture
def scriptless(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scene", PAGES)
def test_a_page_bars_nobody_in_either_theme_or_width(gallery, visitor, complaints, scene):
    visitor.set_viewport_size(NARROWEST)
    visitor.goto(f"{gallery()}/{scene}")
    assert not scrolls_sideways(visitor)
    for folded in visitor.locator("details:not(.menu)").all():
        folded.evaluate("folded => folded.open = true")
    look_at(visitor)
    assert complaints == []


@pytest.mark.parametrize("scene", ["home", "home-empty"])
def test_the_profile_menu_bars_nobody_while_it_is_open(gallery, visitor, scene):
    """It covers what is below, which nobody can reach then."""
    visitor.goto(f"{gallery()}/{scene}")
    visitor.locator("summary").first.click()
    look_at(visitor)


@pytest.mark.parametrize("color", ["#ffe600", "#00ff40", "#ffffff", "#000000", "#ff2bd6"])
def test_any_colour_an_operator_may_choose_stays_readable(gallery, visitor, color):
    rules = f".product-lms, form:has(.product-lms > :checked) {{ --product: {color} }}"
    visitor.route(
        "**/product-colors.css",
        lambda route: route.fulfill(body=rules, content_type="text/css"),
    )
    visitor.goto(f"{gallery()}/sign-in-from-product")
    visitor.unroute("**/product-colors.css")
    visitor.emulate_media(color_scheme="light")
    assert barriers(visitor) == []
    visitor.emulate_media(color_scheme="dark")
    assert barriers_of_colour(visitor) == []


def test_nothing_scrolls_sideways_in_spanish_at_320_pixels(gallery, visitor):
    """In English it is looked at with all else."""
    visitor.set_viewport_size(NARROWEST)
    too_wide = []
    for scene in PAGES:
        visitor.goto(f"{gallery('es')}/{scene}")
        if scrolls_sideways(visitor):
            too_wide.append(scene)
    assert too_wide == []


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") > NARROWEST["width"])


@pytest.mark.parametrize("scene", PAGES)
def test_a_page_weighs_little_and_carries_nothing_inline(scene):
    browser = create_gallery().test_client()
    html = browser.get(f"/{scene}").text
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', html)
    own = [url for url in styles if "bootstrap" not in url]
    weight = len(html.encode()) + sum(weigh(browser, url) for url in own)
    assert "/static/theme.css" in own
    assert weight < (BEHIND_THE_DOOR if scene.startswith("account") else AT_THE_DOOR)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src)|javascript:", html)


def test_signing_in_works_without_javascript(gallery, scriptless):
    scriptless.goto(f"{gallery()}/sign-in")
    scriptless.get_by_text("Secure Payments").click()
    scriptless.get_by_label("E-mail address").fill("amara@northwind.example")
    scriptless.get_by_label("Password", exact=True).fill("correct horse")
    expect(scriptless.locator(".password-switch")).to_be_hidden()
    answered = submit(scriptless, "Sign in")
    assert answered | {"csrf_token": ""} == {
        "csrf_token": "",
        "attempt": "at_7Qm2",
        "product": "payments",
        "email": "amara@northwind.example",
        "password": "correct horse",
    }


@pytest.mark.parametrize(
    ("scene", "button", "field", "value"),
    [
        ("sign-in-again", "Sign in", "email", "amara@northwind.example"),
        ("sign-in-again", "Sign in", "product", "payments"),
        ("select-account", "Continue as Amara Okafor", "choice", "continue"),
        ("select-account", "Use another account", "choice", "other"),
        ("tenant", "Continue", "tenant", "northwind"),
        ("consent", "Allow", "decision", "allow"),
        ("consent", "Do not allow", "decision", "deny"),
        ("device-filled-in", "Continue", "user_code", "WDJB-MJHT"),
        ("sign-out", "Sign out", "decision", "sign_out"),
        ("sign-out", "Stay signed in", "decision", "stay"),
        ("sign-out", "Sign out", "state", "xyz"),
        ("form-post", "Continue", "code", "c_81"),
    ],
)
def test_a_step_answers_without_javascript(gallery, scriptless, scene, button, field, value):
    scriptless.goto(f"{gallery()}/{scene}")
    assert submit(scriptless, button)[field] == value


@pytest.mark.parametrize(
    ("scene", "button", "field", "value"),
    [
        ("account", "Save", "zoneinfo", "Africa/Lagos"),
        ("account-sessions", "End the session of Safari on iPhone", "session", "s2"),
        ("account-sessions", "End all other sessions", "others", "1"),
        ("account-requests", "Look at the request of Ledgerline", "request", "r2"),
        ("account-requests", "This request of Ledgerline was not me", "decision", "disown"),
        (
            *("account-products", "Withdraw from Ledgerline in Northwind Lending"),
            *("consent", "ledgerline"),
        ),
    ],
)
def test_the_account_pages_work_without_javascript(
    gallery, scriptless, scene, button, field, value
):
    scriptless.goto(f"{gallery()}/{scene}")
    assert submit(scriptless, button)[field] == value


def test_the_profile_menu_opens_without_javascript(gallery, scriptless):
    scriptless.goto(f"{gallery()}/home")
    scriptless.locator("summary").click()
    menu = scriptless.get_by_role("navigation", name="Profile menu")
    for entry in ("LMS", "Secure Payments", "Harbor Credit Union", "Account", "Sign out"):
        expect(menu.get_by_role("link", name=entry)).to_be_visible()


def test_the_profile_menu_closes_on_escape_and_on_a_click_elsewhere(gallery, page):
    page.goto(f"{gallery()}/home")
    entry = page.get_by_role("link", name="Harbor Credit Union")
    page.locator("summary").click()
    expect(entry).to_be_visible()
    page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    page.locator("summary").click()
    page.get_by_role("heading", name="Your products").click()
    expect(entry).to_be_hidden()


def test_the_password_can_be_shown_and_is_hidden_again_when_sent(gallery, page):
    page.goto(f"{gallery()}/sign-in")
    password, switch = page.locator("#password"), page.get_by_role("button", name="Show password")
    expect(password).to_have_attribute("type", "password")
    switch.click()
    expect(password).to_have_attribute("type", "text")
    expect(switch).to_have_attribute("aria-pressed", "true")
    page.locator("form").evaluate("form => form.dispatchEvent(new Event('submit'))")
    expect(password).to_have_attribute("type", "password")


def test_a_form_post_response_leaves_by_itself(gallery, page):
    page.goto(f"{gallery()}/form-post")
    expect(page).to_have_url(f"{gallery()}/answer")


def test_the_chosen_tile_colours_the_button_without_javascript(gallery, scriptless):
    scriptless.goto(f"{gallery()}/sign-in")
    button = scriptless.get_by_role("button", name="Sign in")
    expect(button).to_have_css("color", "rgb(255, 255, 255)")
    plain = button.evaluate("button => getComputedStyle(button).backgroundColor")
    scriptless.get_by_text("LMS").click()
    expect(button).not_to_have_css("background-color", plain)


def test_an_error_is_tied_to_its_field(gallery, visitor):
    visitor.goto(f"{gallery()}/sign-in-incomplete")
    expect(visitor.get_by_role("alert")).to_contain_text("Enter your e-mail address.")
    expect(visitor.locator("#email")).to_have_accessible_description("Enter your e-mail address.")
    expect(visitor.get_by_role("radiogroup")).to_have_accessible_description(
        "Choose the product you want to open."
    )
    visitor.get_by_role("link", name="Enter your password.").click()
    expect(visitor.locator("#password")).to_be_focused()


@pytest.mark.parametrize("scene", SCENES)
def test_no_word_was_forgotten_by_the_translation(scene):
    shown = Words()
    shown.feed(create_gallery("pseudo").test_client().get(f"/{scene}").text)
    left = outside_of_marks("".join(shown.words))
    for datum in sorted(strings_in(SCENES[scene][1]), key=len, reverse=True):
        left = re.sub(rf"(?<!\w){re.escape(datum)}(?!\w)", "", left)
    assert re.findall(r"[^\W\d_]+", left.replace("Latchkey", "").replace("Subject:", "")) == []


def test_every_string_is_said_in_spanish():
    spanish = read_catalog("es")
    wanted, said = extracted_messages(), {message.id for message in spanish if message.id}
    unfinished = [message.id for message in spanish if message.id and is_unfinished(message)]
    assert wanted - said == set()
    assert said - wanted == set()
    assert unfinished == []
    assert [errors for message, errors in spanish.check() if errors] == []


def submit(page: Page, button: str) -> Any:
    with page.expect_response(lambda response: response.request.method == "POST") as answer:
        page.get_by_role("button", name=button, exact=True).click()
    return answer.value.json()


def weigh(browser: FlaskClient, url: str) -> int:
    with browser.get(url) as response:
        return len(response.data)


def strings_in(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value, *value.split("\n")} - {""}
    if isinstance(value, dict):
        return set().union(*map(strings_in, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(strings_in, value))
    return set()


def outside_of_marks(text: str) -> str:
    depth, kept = 0, []
    for letter in text:
        depth += (letter == "«") - (letter == "»")
        if depth == 0:
            kept.append(letter)
    return "".join(kept)


class Words(HTMLParser):
    """Collects what a reader or a screen reader gets to know."""

    SPOKEN = frozenset({"aria-label", "title", "placeholder", "alt"})
    SILENT = frozenset({"script", "svg", "time"})

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SILENT:
            attrs = []
        self.words += [f" {value} " for name, value in attrs if name in self.SPOKEN and value]
        self.words += [" "] if tag != "a" else []
        hushed = tag in self.SILENT or ("aria-hidden", "true") in attrs
        if tag == self.silent[-1] if self.silent else hushed:
            self.silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.silent and tag == self.silent[-1]:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)


def extracted_messages() -> set[Any]:
    with (TRANSLATIONS / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)
    catalog = Catalog()
    keywords = {
        "_": None,
        "told": None,
        "gettext": None,
        "lazy_gettext": None,
        "ngettext": (1, 2),
        "lazy_ngettext": (1, 2),
    }
    for _file, _line, message, _comments, context in extract_from_dir(
        ROOT, methods, options, keywords, directory_filter=is_ours
    ):
        catalog.add(message, context=context)
    return {message.id for message in catalog if message.id}


def is_ours(folder: str) -> bool:
    inside = Path(folder).relative_to(ROOT).parts
    return inside[:1] in {(), ("templates",), ("idp",)}


def is_unfinished(message: Any) -> bool:
    said = message.string if isinstance(message.string, tuple) else (message.string,)
    return message.fuzzy or not all(said)
