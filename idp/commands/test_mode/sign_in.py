"""Signing somebody in by the provider's own pages, as a person with a browser does: each page is
read, and what it asks for is sent. There is no other way in; what a page refuses stays refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyotp
from pydantic import Field

from idp.commands.test_mode.browser import Answer, Browser, Form, PageReader
from idp.commands.test_mode.captured import Post
from idp.commands.test_mode.declared import Declared
from idp.commands.test_mode.gate import Refused
from idp.commands.test_mode.people import Account
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.passkeys import PASSKEY, SECURITY_KEY
from idp.credentials.totp import METHOD as TOTP
from idp.provider import Provider
from idp.registration.form import Form as Described
from idp.secret_values import encode, new_secret

MOST_PAGES = 12
TYPED = ("email", "password")  # which are not sent where a passkey is


class SignInForm(Described):
    """`url` is the authorization request of a product, or it is made for `client_id`. `by` says
    what proves who they are first, and `method` which second factor is used of several. `cookies`
    are those of an earlier visit."""

    email: str = ""
    password: str | None = None
    url: str = ""
    client_id: str = ""
    redirect_uri: str = ""
    scope: str = ""
    parameters: dict[str, str] = Field(default={})
    tenant: str = ""
    by: Literal["password", "passkey"] = "password"
    method: str = ""
    consent: bool = True
    cookies: dict[str, str] = Field(default={})


@dataclass
class Visit:
    """What the browser holds when it is sent back: `redirect` is the whole address that the
    product is to be asked for, `response` what stands in it, `steps` the pages on the way. By
    `response_mode=form_post`, `response` is what is posted there."""

    redirect: str
    response: dict[str, str]
    steps: list[str]
    cookies: dict[str, str]
    code_verifier: str = ""
    nonce: str = ""


@dataclass(frozen=True)
class Asked:
    """An authorization request (RFC 6749 section 4.1.1, RFC 7636), and what answers for it."""

    url: str
    code_verifier: str = ""
    nonce: str = ""


def request_of(held: Provider, form: SignInForm, clients: dict[str, Declared]) -> Asked:
    """Raises Refused."""
    issuer = held.settings.issuer
    if form.url:
        if not form.url.startswith(f"{issuer}/"):
            raise Refused(400, f"url is an address of {issuer}.")
        return Asked(form.url)
    client = clients.get(form.client_id)
    if client is None:
        raise Refused(400, f"Give url, or client_id: one of {', '.join(clients) or 'none'}.")
    verifier, nonce = new_secret(), new_secret()
    challenge = encode(sha256(verifier.encode()).digest())
    parameters = {
        "client_id": client.client_id,
        "redirect_uri": form.redirect_uri or next(iter(client.redirect_uris), ""),
        "response_type": "code",
        "scope": form.scope or client.scope,
        "state": new_secret(),
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **form.parameters,
    }
    return Asked(f"{issuer}/authorize?{urlencode(parameters)}", verifier, nonce)


def sign_in(held: Provider, post: Post, form: SignInForm, person: Account, asked: Asked) -> Visit:
    """Raises Refused, with what the page says, where it goes on to no product."""
    browser = Browser(held.settings.issuer, form.cookies)
    try:
        visitor = _Visitor(held, post, form, person, browser)
        redirect, response = visitor.go(asked.url)
    finally:
        browser.close()
    proof = (asked.code_verifier, asked.nonce)
    return Visit(redirect, response, visitor.steps, browser.cookies, *proof)


@dataclass
class _Visitor:
    held: Provider
    post: Post
    form: SignInForm
    person: Account
    browser: Browser
    steps: list[str] = field(default_factory=list)

    def go(self, url: str) -> tuple[str, dict[str, str]]:
        answer = self.browser.open(url)
        for _ in range(MOST_PAGES):
            if answer.location:
                return answer.location, _response(answer.location)
            page = PageReader(answer.text)
            posted = page.forms[0] if page.forms else Form("")
            if urlsplit(posted.action).scheme:
                return posted.action, posted.fields
            answer = self._sent(answer, page)
        raise Refused(409, "The pages come back to where they were.", steps=self.steps)

    def _sent(self, answer: Answer, page: PageReader) -> Answer:
        """What comes of the first form that we know. Raises Refused for a page that has none, or
        that has refused what was sent."""
        fill_in = {
            "/login/password": self._prove_who,
            "/login/second_factor": self._prove_second_factor,
            "/login/tenant": self._choose_tenant,
            "/login/consent": self._consent,
        }
        form = next((each for each in page.forms if each.action in fill_in), None)
        if form is None or answer.status != 200:
            raise self._stopped(answer, page)
        return fill_in[form.action](answer, page, form)

    def _prove_who(self, answer: Answer, page: PageReader, form: Form) -> Answer:
        self.steps.append(self.form.by)
        if self.form.by == PASSKEY:
            return self._use_key(answer, page, form, "/login/passkey")
        password = self.person.password if self.form.password is None else self.form.password
        known = {"email": self.person.email, "password": password}
        return self.browser.send(form.action, {**form.fields, **known})

    def _prove_second_factor(self, answer: Answer, page: PageReader, form: Form) -> Answer:
        method = form.fields.get("method", "")
        if self.form.method not in ("", method):
            return self._another_way(answer, page, form)
        if ("action", "send") in form.buttons and "code" not in form.asks:
            return self.browser.send(form.action, {**form.fields, "action": "send"})
        self.steps.append(method)
        if method in (PASSKEY, SECURITY_KEY):
            return self._use_key(answer, page, form, "/login/second_factor/key")
        return self.browser.send(form.action, {**form.fields, "code": self._code(method)})

    def _another_way(self, answer: Answer, page: PageReader, form: Form) -> Answer:
        way = {"attempt": form.fields["attempt"], "method": self.form.method}
        other = f"{form.action}?{urlencode(way)}"
        if answer.url == other:
            raise self._stopped(answer, page)
        return self.browser.open(other)

    def _code(self, method: str) -> str:
        if method == TOTP and self.person.totp_secret:
            return pyotp.TOTP(self.person.totp_secret).at(int(self.held.clock()))
        sent_to = {EMAIL: ("mail", self.person.email), SMS: ("sms", self.person.phone)}
        return self.post.newest_code(*sent_to[method]) if method in sent_to else ""

    def _use_key(self, answer: Answer, page: PageReader, form: Form, action: str) -> Answer:
        if self.person.passkey is None or form.options != f"{action}/options":
            raise self._stopped(answer, page)
        fields = {name: sent for name, sent in form.fields.items() if name not in TYPED}
        asked = self.browser.post(form.options, fields)
        passkey = self.person.passkey.get(asked.json())
        return self.browser.send(action, {**fields, "passkey": passkey})

    def _choose_tenant(self, _answer: Answer, _page: PageReader, form: Form) -> Answer:
        self.steps.append("tenant")
        return self.browser.send(form.action, {**form.fields, "tenant": self.form.tenant})

    def _consent(self, _answer: Answer, _page: PageReader, form: Form) -> Answer:
        self.steps.append("consent")
        decision = "allow" if self.form.consent else "deny"
        return self.browser.send(form.action, {**form.fields, "decision": decision})

    def _stopped(self, answer: Answer, page: PageReader) -> Refused:
        where = {"answered": answer.status, "path": urlsplit(answer.url).path}
        said = {"title": page.title, "text": page.words}
        return Refused(409, "The sign-in stopped.", **where, **said, steps=self.steps)


def _response(location: str) -> dict[str, str]:
    parts = urlsplit(location)
    return dict(parse_qsl(parts.query)) | dict(parse_qsl(parts.fragment))
