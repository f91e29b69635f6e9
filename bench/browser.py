"""A browser that signs in: keeps cookies, follows redirects, fills in the one form it meets."""

from __future__ import annotations

import html
import re
from http.client import HTTPConnection
from urllib.parse import urlencode, urljoin, urlsplit

from bench.driver import HOST, Unexpected

_FIELD = re.compile(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"')
_ACTION = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]+)"')
_PASSWORD_ACTION = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]*/password[^"]*)"')
_NEXT = re.compile(r'<a[^>]*href="([^"]+)"[^>]*rel="next"')
MAX_HOPS = 12


class Browser:
    """`cookies` as they are sent; `form` is the last one met, with its hidden fields."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=30)
        self._origin = f"{HOST}:{port}"
        self.cookies: dict[str, str] = {}
        self.form: dict[str, str] = {}

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def sign_in(self, target: str, email: str, password: str) -> str:
        """From an authorization request to the redirect that carries its code."""
        location, page = self.ask("GET", target)
        for _ in range(MAX_HOPS):
            if location and "code=" in location:
                return location
            if location:
                location, page = self.ask("GET", _path(location))
                continue
            self.form = dict(_FIELD.findall(page))
            action = _ACTION.findall(page)
            if not action:
                break
            filled = {**self.form, "email": email, "password": password}
            location, page = self.ask("POST", action[-1], urlencode(filled))
        raise Unexpected(f"the sign-in did not end: {location!r} {page[:600]}")

    def enter(self, target: str, email: str, password: str) -> None:
        """Open a page of the provider's own, signing in on the way."""
        location, page = self.ask("GET", target)
        for _ in range(MAX_HOPS):
            if location:
                location, page = self.ask("GET", _path(location))
            elif action := _PASSWORD_ACTION.findall(page):
                filled = {**dict(_FIELD.findall(page)), "email": email, "password": password}
                location, page = self.ask("POST", action[-1], urlencode(filled))
            else:
                return
        raise Unexpected(f"no page was reached: {location!r} {page[:600]}")

    def read(self, target: str) -> str:
        """A page that answers at once."""
        location, page = self.ask("GET", target)
        if location or _PASSWORD_ACTION.search(page) or "<h1" not in page:
            raise Unexpected(f"{target} is not shown: {location!r} {page[:600]}")
        return page

    def next_page(self, target: str) -> str:
        """Where a list goes on."""
        found = _NEXT.findall(self.read(target))
        if not found:
            raise Unexpected(f"{target} is its last page")
        return urljoin(target, html.unescape(found[0]))

    def read_form(self, target: str) -> None:
        """Keep the cookies and hidden fields of the page that the request leads to."""
        location, page = self.ask("GET", target)
        while location:
            location, page = self.ask("GET", _path(location))
        self.form = dict(_FIELD.findall(page))

    def ask(self, method: str, target: str, body: str | None = None) -> tuple[str, str]:
        """Where it redirects to, and the page."""
        headers = {"Cookie": self.cookie_header} if self.cookies else {}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, target, body, headers)
        answer = self._connection.getresponse()
        for header in answer.headers.get_all("Set-Cookie", []):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        page = answer.read().decode()
        if answer.status >= 400:
            raise Unexpected(f"{target} is {answer.status}: {page[:600]}")
        return answer.headers.get("Location", ""), page


def _path(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
