"""A virtual user in front of a browser: signs in, opens products, changes name and password."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode

import pyotp

from bench.registry import CHALLENGE
from chaos.browser import Browser, hidden, path_of
from chaos.caller import Caller, Facts
from chaos.history import FAIL, Operation, fingerprint
from chaos.registry import REDIRECT_URI, SCOPE, WEB, canary
from chaos.wire import Answer

Guess = Callable[[str], Awaitable[Answer | None]]

HOPS = 10
SIGN_IN = {"sign-in", "password", "code of the app"}  # what is asked with half of a sign-in
HALFWAY = "halfway"  # the kind of what is asked with a sign-in that is not finished
SIGN_OUT = "sign-out"
STEP, APP = 30, "totp"
LOOKS, PAUSE = 20, 0.25  # for a letter
SECONDS_BETWEEN_LETTERS = 61.0
_CODE = re.compile(r"[?&]code=([^&]*)")
_ERROR = re.compile(r"[?&]error=([^&]*)")
_LINK = re.compile(r"/account/password/[\w.~-]+")


class Person:
    """`passwords` are those that may be theirs, the likeliest first: more than one after a change
    that was not answered."""

    def __init__(self, caller: Caller, email: str, password: str, app: str = "") -> None:
        self.email = email
        self.passwords = [password]
        self._app = pyotp.TOTP(app) if app else None
        self._newest_step = 0
        self._caller = caller
        self._browser = Browser(caller)
        self._is_signed_in = False
        self._wrote_at = 0.0
        self._way_on = ""

    @property
    def may_have_another_letter(self) -> bool:
        return time.time() > self._wrote_at + SECONDS_BETWEEN_LETTERS

    def at(self, caller: Caller) -> Person:
        """The same one, in front of another server."""
        other = Person(caller, self.email, self.passwords[0])
        other._browser = self._browser.at(caller)
        other._is_signed_in = self._is_signed_in
        return other

    async def authorize(self, client_id: str, *, meant: bool = False) -> str:
        """A code by single sign-on, or nothing."""
        target, meant = _request(client_id, "none"), meant or not self._is_signed_in
        return _code_of(await self._browser.open("authorize", target, self._code, meant=meant))

    async def sign_in(self, client_id: str, *, meant: bool = False) -> str:
        """A code by the password, in a browser that knows nobody. Nothing if it was refused."""
        for password in tuple(self.passwords):
            code = await self._sign_in(client_id, password, meant or len(self.passwords) > 1)
            if code:
                self.passwords = [password]
                return code
        return ""

    async def try_in_vain(self, client_id: str, password: str) -> None:
        """One that was theirs once."""
        await self._sign_in(client_id, password, meant=True)

    async def rename(self) -> None:
        """Write another name: a register that products read as a claim."""
        page = await self._browser.open("account page", "/account")
        if page is None or page.status != 200:
            return
        name = f"Somebody {time.time_ns()} {canary(self._caller.tenant)}"
        form = {**hidden(page), "name": name, "locale": "en-US", "zoneinfo": "UTC"}
        written = {"register": f"name {self.email}", "wrote": name}
        about = {**written, "audit": "profile.changed"}
        await self._browser.send("rename", "/account", form, _is_saved, **about)

    async def change_password(self) -> bool | None:
        """By the link in a letter. Whether all that was open elsewhere is over; None if it may be.
        Just after they have signed in."""
        link = await self._link()
        page = await self._browser.open("link", link) if link else None
        if page is None or page.status != 200:
            return False
        current, new = self.passwords[0], f"{secrets.token_hex(8)} quartz meadow"
        answer = await self._browser.send(
            *("new password", link, {**hidden(page), "current": current, "password": new}),
            _is_saved,
            spends=f"link {fingerprint(link)}",
            register=f"password {self.email}",
            wrote=fingerprint(new),
            audit="password.changed",
        )
        if answer is None or answer.status >= 500:
            self.passwords = [new, current]
            return None
        if answer.status == 303:
            self.passwords = [new]
        return answer.status == 303

    async def guess(self, client_id: str) -> Guess | None:
        """What sends a password by the page's form, once it stands."""
        page = await self._page(client_id)
        return page and (lambda password: self._send_password(page, password, meant=True))

    async def sign_out(self) -> None:
        """Everywhere, as the page asks them."""
        page = await self._browser.open("sign-out page", "/logout")
        if page is not None and page.status == 200:
            form = {**hidden(page), "decision": "sign_out"}
            await self._browser.send(SIGN_OUT, "/logout", form, _is_saved, audit="session.ended")

    async def stop_halfway(self, client_id: str) -> None:
        """Once the password is proven, where the product wants more than that."""
        self._browser.forget()
        send = await self.guess(client_id)
        answer = await send(self.passwords[0]) if send else None
        self._way_on = path_of(answer.location) if answer else ""

    async def go_on_halfway(self) -> None:
        """As if they were through: by the way on, and at a product that wants no more. Neither may
        give a code."""
        await self._follow(HALFWAY, self._way_on)
        await self._follow(HALFWAY, _request(WEB, "none"))

    def close(self) -> None:
        self._caller.close()

    async def _page(self, client_id: str) -> Answer | None:
        """On which they sign in, if they get there."""
        answer = await self._browser.open("sign-in page", _request(client_id))
        while answer is not None and answer.location:
            answer = await self._browser.open("sign-in", path_of(answer.location))
        return answer if answer is not None and answer.status == 200 else None

    async def _follow(self, kind: str, target: str) -> None:
        """Through our own redirects, where a refusal is no fault."""
        for _ in range(HOPS):
            answer = await self._browser.open(kind, target, self._code, meant=True)
            if answer is None or not answer.location or answer.location.startswith(REDIRECT_URI):
                break
            target = path_of(answer.location)

    async def _link(self) -> str:
        """From the newest letter; nothing if there is none."""
        page = await self._browser.open("password page", "/account/password")
        if page is None or page.status != 200:
            return ""
        self._wrote_at = time.time()
        known = await self._letters()
        await self._browser.send("letter", "/account/password", hidden(page))
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE)
            if links := [each for each in await self._letters() if each not in known]:
                return links[0]
        return ""

    async def _letters(self) -> list[str]:
        """The links in them."""
        page = await self._browser.open("inbox", f"/inbox?to={quote(self.email)}")
        return list(dict.fromkeys(_LINK.findall(page.body.decode()))) if page else []

    async def _sign_in(self, client_id: str, password: str, meant: bool) -> str:
        """Each page is filled in once."""
        self._browser.forget()
        self._is_signed_in = False
        answer = await self._browser.open("sign-in page", _request(client_id))
        filled_in: set[str] = set()
        for _ in range(HOPS):
            if answer is None or answer.status >= 400 or answer.location.startswith(REDIRECT_URI):
                break
            if answer.location:
                target = path_of(answer.location)
                answer = await self._browser.open("sign-in", target, self._session, meant=meant)
                continue
            asked = hidden(answer).get("method", "password")
            if asked in filled_in:
                break
            filled_in.add(asked)
            if asked == APP:
                answer = await self._send_code(answer)
            else:
                answer = await self._send_password(answer, password, meant)
        code = _code_of(answer)
        self._is_signed_in = bool(code)
        return code

    async def _send_code(self, page: Answer) -> Answer | None:
        """Of the app, now. A step that was used before has to be refused."""
        assert self._app is not None, "they have no app"
        step = int(time.time()) // STEP
        meant, self._newest_step = step <= self._newest_step, step
        return await self._browser.send(
            *("code of the app", "/login/second_factor"),
            {**hidden(page), "code": self._app.at(step * STEP)},
            spends=f"step {step} of {self.email}",
            meant=meant,
        )

    async def _send_password(self, page: Answer, password: str, meant: bool) -> Answer | None:
        said = fingerprint(password)
        return await self._browser.send(
            *("password", "/login/password"),
            {**hidden(page), "email": self.email, "password": password},
            lambda answer: {"read": said} if answer.status == 303 else {},
            register=f"password {self.email}",
            meant=meant,
        )

    def _code(self, answer: Answer) -> Facts:
        """An error that goes to the product by a redirect is a refusal."""
        if found := _ERROR.search(answer.location):
            return {"outcome": FAIL, "error": found[1]}
        return {"shows": f"person {self.email}"} if _code_of(answer) else {}

    def _session(self, answer: Answer) -> Facts:
        """The step that gives the code has started a session, as the audit log tells."""
        facts = self._code(answer)
        return {**facts, "audit": "sign_in.succeeded"} if "shows" in facts else facts


def is_lost(operation: Operation) -> bool:
    """A sign-in that lay in Redis when that went, or was slow, has to begin anew."""
    return operation.status == 400 and operation.kind in SIGN_IN


def _request(client_id: str, prompt: str = "") -> str:
    asked = {
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "response_type": "code",
        "scope": SCOPE,
        "state": "s" * 22,
        "nonce": "n" * 22,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **({"prompt": prompt} if prompt else {}),
    }
    return "/authorize?" + urlencode(asked)


def _code_of(answer: Answer | None) -> str:
    found = _CODE.search(answer.location) if answer else None
    return found[1] if found else ""


def _is_saved(answer: Answer) -> Facts:
    """A form that is shown again was not taken; nor is one that leads to a sign-in."""
    is_sent_on = answer.status == 303 and "/authorize" not in answer.location
    return {} if is_sent_on else {"outcome": FAIL}
