"""A browser without a screen, for the provider's own pages: it keeps cookies, follows redirects
within the provider, reads forms, and sends them as they stand, filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

REDIRECTS = (302, 303)
PATIENCE = 30.0
MOST_REDIRECTS = 20
SILENT = frozenset({"script", "style", "svg", "datalist"})
OUTER = frozenset({"main", "title"})
EMPTY = frozenset({"input", "img", "br", "hr", "link", "meta"})
BREAKS = frozenset({"p", "h1", "h2", "li", "div", "button", "label", "legend"})


@dataclass
class Form:
    """`fields` are those that are sent unless somebody changes them; `asks` names those to be
    typed into, and `buttons` what each button adds."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    asks: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    options: str = ""  # where a button asks what to ask an authenticator for


@dataclass(frozen=True)
class Answer:
    """`location` is where it sends the browser on to, empty for a page."""

    status: int
    url: str
    location: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class Browser:
    def __init__(self, issuer: str, cookies: Mapping[str, str]) -> None:
        self.issuer = issuer
        self.cookies = dict(cookies)
        self._connection = HTTPConnection(urlsplit(issuer).netloc, timeout=PATIENCE)

    def open(self, url: str) -> Answer:
        """The page that it leads to, or the first answer that leads away from the provider."""
        return self._followed(self._ask("GET", url))

    def send(self, action: str, fields: Mapping[str, str]) -> Answer:
        return self._followed(self.post(action, fields))

    def post(self, action: str, fields: Mapping[str, str]) -> Answer:
        """Without going on to where it redirects."""
        return self._ask("POST", action, urlencode(fields))

    def close(self) -> None:
        self._connection.close()

    def _followed(self, answer: Answer) -> Answer:
        for _ in range(MOST_REDIRECTS):
            if not self._is_ours(answer.location):
                return answer
            answer = self._ask("GET", answer.location)
        return answer

    def _is_ours(self, location: str) -> bool:
        return location.startswith(("/", f"{self.issuer}/"))

    def _ask(self, method: str, url: str, body: str | None = None) -> Answer:
        path = url.removeprefix(self.issuer)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        self._keep(response.headers.get_all("Set-Cookie", []))
        is_redirect = response.status in REDIRECTS
        location = response.headers.get("Location", "") if is_redirect else ""
        return Answer(response.status, path, location, response.read())

    def _keep(self, set_cookies: list[str]) -> None:
        for line in set_cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


class PageReader(HTMLParser):
    """A page's title, its forms, and what its main part says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.title = ""
        self.forms: list[Form] = []
        self._words: list[str] = []
        self._form: Form | None = None
        self._inside: list[str] = []
        self._hidden: list[str] = []
        self.feed(text)

    @property
    def words(self) -> str:
        lines = (" ".join(line.split()) for line in "".join(self._words).splitlines())
        return "\n".join(line for line in lines if line)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in OUTER:
            self._inside.append(tag)
        if tag not in EMPTY and ("hidden" in told or tag in {*SILENT, *self._hidden}):
            self._hidden.append(tag)
        self._words.append("\n" if tag in BREAKS else " ")
        if tag == "form":
            self._form = Form(told.get("action", ""))
            self.forms.append(self._form)
        elif self._form and tag == "input":
            _take_input(self._form, told)
        elif self._form and tag == "button":
            _take_button(self._form, told)

    def handle_endtag(self, tag: str) -> None:
        for opened in (self._inside, self._hidden):
            if tag in opened:
                opened.remove(tag)
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if "title" in self._inside:
            self.title += data
        elif "main" in self._inside:
            self._words.append(data)


def _take_input(form: Form, told: Mapping[str, str]) -> None:
    name, kind = told.get("name", ""), told.get("type", "text")
    if kind in ("radio", "checkbox") and "checked" not in told:
        form.asks.add(name)
    elif name:
        form.fields[name] = told.get("value", "")
        if kind != "hidden":
            form.asks.add(name)


def _take_button(form: Form, told: Mapping[str, str]) -> None:
    form.options = told.get("data-options", "") or form.options
    if "name" in told:
        form.buttons.append((told["name"], told.get("value", "")))
