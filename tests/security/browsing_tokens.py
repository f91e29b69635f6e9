"""Everybody who reads a JWT from outside, to be tried with tokens that are not what they seem."""

from __future__ import annotations

import json
from itertools import count
from typing import Any
from urllib.parse import urlencode

from joserfc import jws
from werkzeug.test import Client

from tests.security.browsing import ASSERTION_TYPE, MACHINE, MACHINES_CALLBACK, add_machine
from tests.world import World, request_for, sent_back


class Stage:
    """A person signed into the LMS, a machine, and everybody who reads a JWT from outside.

    `takes(consumer, token)` says whether the token did there what a sound one does; any answer
    that is neither yes nor a proper no fails the test.
    """

    BEARERS = ("userinfo", "switcher", "introspect", "revoke")
    HINTS = ("hint at authorize", "hint at logout")
    ASSERTION = "client assertion"
    REQUEST = "request object"
    OF_CLIENTS = (ASSERTION, REQUEST)
    EVERYBODY = (*BEARERS, *HINTS, *OF_CLIENTS)

    def __init__(self, world: World) -> None:
        self.world = world
        self.machine_key = add_machine(world)
        self.browser = world.browser()
        self.given = self.browser.tokens()
        self._jti = count()

    def genuine(self, consumer: str) -> str:
        """A token that this consumer takes."""
        if consumer in self.BEARERS:
            return str(self.given["access_token"])
        if consumer in self.HINTS:
            return str(self.given["id_token"])
        if consumer == self.REQUEST:
            return self.assertion(self.request_claims(), typ="oauth-authz-req+jwt")
        return self.assertion(self.assertion_claims())

    def request_claims(self) -> dict[str, Any]:
        now = int(self.world.clock())
        return {
            "iss": MACHINE,
            "aud": self.world.settings.issuer,
            "nbf": now,
            "exp": now + 60,
            **request_for(MACHINE, redirect_uri=MACHINES_CALLBACK, scope="jobs"),
        }

    def assertion_claims(self) -> dict[str, Any]:
        now = int(self.world.clock())
        return {
            "iss": MACHINE,
            "sub": MACHINE,
            "aud": self.world.settings.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": f"assertion-{next(self._jti)}",
        }

    def assertion(self, claims: dict[str, Any], **header: Any) -> str:
        head = {"alg": "ES256", "kid": "machine-key", **header}
        return jws.serialize_compact(head, json.dumps(claims), self.machine_key)

    def takes(self, consumer: str, token: str) -> bool:
        ask = {
            "userinfo": lambda: self._bearer("/userinfo", token),
            "switcher": lambda: self._bearer("/switcher", token),
            "introspect": lambda: self._is_active(token),
            "revoke": lambda: self._revokes(token),
            "hint at authorize": lambda: self._is_hint(token),
            "hint at logout": lambda: self._signs_out(token),
            self.ASSERTION: lambda: self._authenticates(token),
            self.REQUEST: lambda: self._is_pushed(token),
        }
        return ask[consumer]()

    def _bearer(self, path: str, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        answer = Client(self.world.app).get(path, headers=headers)
        assert answer.status_code in (200, 401, 403, 431), answer.text
        return answer.status_code == 200

    def _is_active(self, token: str) -> bool:
        answer = self.world.post("/introspect", self.world.basic("lms"), token=token)
        assert answer.status_code in (200, 400, 413), answer.text
        return bool((answer.json or {}).get("active"))

    def _revokes(self, token: str) -> bool:
        before = self.world.audit("token.revoked")
        answer = self.world.post("/revoke", self.world.basic("lms"), token=token)
        assert answer.status_code in (200, 400, 413), answer.text
        return len(self.world.audit("token.revoked")) > len(before)

    def _is_hint(self, token: str) -> bool:
        answer = self.browser.authorize(prompt="none", id_token_hint=token)
        if answer.status_code in (400, 414):
            return False
        return "code" in sent_back(answer)

    def _signs_out(self, token: str) -> bool:
        """A hint of this very session ends it without a question; anything less asks."""
        answer = self.browser.get("/logout?" + urlencode({"id_token_hint": token}))
        assert answer.status_code in (200, 303, 400, 414), answer.text
        return answer.status_code == 303

    def _authenticates(self, token: str) -> bool:
        answer = self.world.post(
            "/token",
            grant_type="client_credentials",
            client_assertion_type=ASSERTION_TYPE,
            client_assertion=token,
        )
        assert answer.status_code in (200, 400, 401, 413), answer.text
        return answer.status_code == 200

    def _is_pushed(self, token: str) -> bool:
        answer = self.world.post(
            "/par",
            client_assertion_type=ASSERTION_TYPE,
            client_assertion=self.genuine(self.ASSERTION),
            request=token,
        )
        assert answer.status_code in (201, 400, 413), answer.text
        return answer.status_code == 201
