"""A browser without a screen: keeps cookies, follows redirects, fills in forms.

It stops where a product outside this machine would take over, and says with what it was sent there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

SECONDS_TO_ANSWER = 10
MAX_REDIRECTS = 20
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class Form:
    """`fields` as the page filled them in; of a radio group, the one that is checked."""

    action: str
    method: str = "get"
    names: set[str] = field(default_factory=set)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Place:
    """Where the browser stands: on a page (`status`, `text`), or sent away to `url` with the query,
    or with the form body `posted`."""

    url: str
    status: int = 0
    text: str = ""
    posted: dict[str, str] | None = None
    trail: list[str] = field(default_factory=list)

    @property
    def is_away(self) -> bool:
        return self.status == 0

    @property
    def sent(self) -> dict[str, str]:
        """What came along to where the browser was sent."""
        query = parse_qs(urlsplit(self.url).query)
        return self.posted or {name: values[0] for name, values in query.items()}

    @property
    def forms(self) -> list[Form]:
        reader = _FormReader()
        reader.feed(self.text)
        return reader.forms

    def form_with(self, *names: str) -> Form:
        for form in self.forms:
            if form.method == "post" and form.names.issuperset(names):
                return form
        raise AssertionError(f"no form with {names} at {self.url} ({self.status}):\n{self.text}")


class Visitor:
    def __init__(self) -> None:
        self.http = requests.Session()

    def close(self) -> None:
        self.http.close()

    def forget(self, word: str) -> None:
        """Lose the cookies whose names have that word in them."""
        for cookie in [each for each in self.http.cookies if word in each.name]:
            self.http.cookies.clear(cookie.domain, cookie.path, cookie.name)

    def open(self, url: str) -> Place:
        """GET, and follow redirects."""
        return self._go("GET", url, None)

    def submit(self, place: Place, **filled_in: str) -> Place:
        """Send the page's form that has all these fields, with what it holds already."""
        form = place.form_with(*filled_in)
        return self._go("POST", urljoin(place.url, form.action), {**form.fields, **filled_in})

    def sign_in(self, place: Place, email: str, password: str) -> Place:
        return self.submit(place, email=email, password=password)

    def answer_device(self, address: str, decision: str, email: str, password: str) -> Place:
        """Enter the code that stands in the address, sign in if nobody is, and decide."""
        place = self.open(address)
        place = self.submit(place, user_code=place.form_with("user_code").fields["user_code"])
        if "Allow" not in place.text:
            place = self.sign_in(place, email, password)
        return self.submit(place, decision=decision)

    def _go(self, method: str, url: str, form: dict[str, str] | None) -> Place:
        trail: list[str] = []
        while len(trail) < MAX_REDIRECTS:
            trail.append(url)
            if not _is_on_this_machine(url):
                return Place(url, posted=form, trail=trail)
            answer = self._ask(method, url, form)
            if answer.status_code not in REDIRECTS:
                return Place(url, answer.status_code, answer.text, trail=trail)
            url = urljoin(url, answer.headers["Location"])
            if answer.status_code not in (307, 308):
                method, form = "GET", None
        raise AssertionError("redirected for ever: " + " > ".join(trail))

    def _ask(self, method: str, url: str, form: dict[str, str] | None) -> requests.Response:
        options: dict[str, Any] = {"timeout": SECONDS_TO_ANSWER, "allow_redirects": False}
        return self.http.request(method, url, data=form, **options)


def _is_on_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1")


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._is_inside = True
        elif self._is_inside and tag in ("input", "button") and given.get("name"):
            self._add(tag, given)

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = self._is_inside and tag != "form"

    def _add(self, tag: str, given: dict[str, str]) -> None:
        form, name = self.forms[-1], given["name"]
        form.names.add(name)
        is_choice = given.get("type") in ("radio", "checkbox")
        if tag == "input" and (not is_choice or "checked" in given):
            form.fields[name] = given.get("value", "")
