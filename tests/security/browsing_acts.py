"""What the provider does for people and products, each to be tried while something fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from idp import database
from idp.errors import StoreUnavailable
from tests.security.browsing import ASSERTION_TYPE, SignInForm
from tests.security.browsing_tokens import Stage
from tests.world import AMARA, PASSWORD, World

Act = Callable[[], TestResponse]
NAMES = (
    *("sign in", "finish a sign-in", "single sign-on", "redeem a code", "refresh", "assertion"),
    *("userinfo", "switcher", "introspect", "revoke", "home", "account"),
)


class Away:
    """The database, failing at one statement and at all that follow it."""

    def __init__(self, accident: Callable[[], Exception]) -> None:
        self._accident = accident
        self.left: int | None = None
        self.asked = 0

    def ask(self) -> None:
        self.asked += 1
        if self.left is not None and self.asked > self.left:
            raise self._accident()


@contextmanager
def failing(away: Away) -> Iterator[None]:
    run, run_by_session = database.Connection._execute, sa.orm.Session._execute_internal

    def execute(self: Any, *arguments: Any) -> Any:
        away.ask()
        return run(self, *arguments)

    def execute_by_session(self: Any, *arguments: Any, **more: Any) -> Any:
        try:
            away.ask()
        except StoreUnavailable as problem:
            raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("away")) from problem
        return run_by_session(self, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.Connection, "_execute", execute)
        patch.setattr(sa.orm.Session, "_execute_internal", execute_by_session)
        for place in ("idp.web.error_pages.log", "idp.endpoints.router.log"):
            patch.setattr(place, Mock())  # a trace with all its variables takes a second to write
        yield


class Acts:
    """`prepare[name]()` brings everything along; what it returns does the act."""

    def __init__(self, world: World) -> None:
        self.world, self.stage = world, Stage(world)
        self.prepare: dict[str, Callable[[], Act]] = {
            "sign in": self.sign_in,
            "finish a sign-in": self.finish,
            "single sign-on": self.single_sign_on,
            "redeem a code": self.redeem,
            "refresh": self.refresh,
            "assertion": self.assertion,
            "userinfo": lambda: self.with_token("/userinfo"),
            "switcher": lambda: self.with_token("/switcher"),
            "introspect": lambda: self.about_token("/introspect"),
            "revoke": lambda: self.about_token("/revoke"),
            "home": lambda: self.page("/"),
            "account": lambda: self.page("/account"),
        }

    def sign_in(self) -> Act:
        form = SignInForm(self.world)
        return lambda: form.send(AMARA, PASSWORD)

    def finish(self) -> Act:
        browser = self.world.browser()
        page = browser.follow(browser.authorize())
        answer = browser.submit(page, email=AMARA, password=PASSWORD)
        return lambda: browser.get(answer.headers["Location"])

    def single_sign_on(self) -> Act:
        return lambda: self.stage.browser.authorize(client_id="payments", prompt="none")

    def redeem(self) -> Act:
        code = self.stage.browser.code()
        return lambda: self.world.redeem(code)

    def refresh(self) -> Act:
        token = self.stage.browser.tokens()["refresh_token"]
        return lambda: self.world.refresh(token)

    def assertion(self) -> Act:
        sound = self.stage.assertion(self.stage.assertion_claims())
        return lambda: self.world.post(
            "/token",
            client_assertion_type=ASSERTION_TYPE,
            client_assertion=sound,
            grant_type="client_credentials",
        )

    def with_token(self, path: str) -> Act:
        token = self.stage.browser.tokens()["access_token"]
        return lambda: self.world.get(path, Authorization=f"Bearer {token}")

    def about_token(self, path: str) -> Act:
        token = self.stage.browser.tokens()["access_token"]
        return lambda: self.world.post(path, self.world.basic("lms"), token=token)

    def page(self, path: str) -> Act:
        return lambda: self.stage.browser.get(path)
