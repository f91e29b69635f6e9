"""What products do for a virtual user: redeem, refresh, revoke, look; and what machines do."""

from __future__ import annotations

import json
import secrets
import time
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from bench.messages import basic
from bench.registry import VERIFIER
from chaos.caller import Caller, Facts
from chaos.history import fingerprint
from chaos.registry import MACHINE, REDIRECT_URI, SIGNING, SPA, STRICT, secret_of
from chaos.wire import Answer

REMEMBERED = 5  # of what was spent or ended, to be tried again at the end
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Family:
    """Tokens of one sign-in at one product; `name` is the fingerprint of its code. `is_doubtful`
    once a request by it was not answered: what comes of it then is nobody's fault."""

    name: str
    client_id: str
    access: str
    refresh: str
    is_doubtful: bool = False


class Products:
    def __init__(self, caller: Caller, issuer: str, key: str) -> None:
        self.caller = caller
        self.families: dict[str, Family] = {}
        self.ended: deque[Family] = deque(maxlen=REMEMBERED)
        self.spent: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        self.shown: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        self._issuer = issuer
        self._key = key

    async def redeem(self, client_id: str, code: str, *, meant: bool = False) -> Family | None:
        """`meant` when it may be refused: it is tried again."""
        name = fingerprint(code)
        answer = await self._token(
            *("redeem", client_id),
            *({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI},),
            *({"code_verifier": VERIFIER},),
            spends=f"code {name}",
            shows=f"family {name}",
            family=name,
            meant=meant,
        )
        self.spent.append((client_id, code))
        if answer is None or answer.status != 200:
            return None
        given = answer.json
        family = Family(name, client_id, given["access_token"], given["refresh_token"])
        self.families[client_id] = family
        return family

    async def refresh(self, family: Family, *, meant: bool = False) -> None:
        """The next generation is kept. A family that is refused is forgotten."""
        answer = await self._token(
            *("refresh", family.client_id),
            *({"grant_type": "refresh_token", "refresh_token": family.refresh}, {}),
            family=family.name,
            generation=fingerprint(family.refresh),
            is_strict=family.client_id == STRICT,
            shows=f"family {family.name}",
            meant=meant or family.is_doubtful,
        )
        if answer is None:
            family.is_doubtful = True
        elif answer.status == 200:
            family.access = answer.json["access_token"]
            family.refresh = answer.json.get("refresh_token", family.refresh)
        elif answer.status < 500:
            self.families.pop(family.client_id, None)

    async def replay(self, family: Family, spent: str) -> None:
        """A generation before: it is refused, or is within the grace."""
        await self.refresh(Family(family.name, family.client_id, "", spent), meant=True)
        self.families.pop(family.client_id, None)

    async def revoke(self, family: Family) -> None:
        answer = await self._post(
            *("revoke", "/revoke", family.client_id, {"token": family.refresh}),
            ends=[f"family {family.name}"],
            audit="" if family.is_doubtful else "token.revoked",
        )
        self.families.pop(family.client_id, None)
        if answer is not None and answer.status == 200:
            self.ended.append(family)

    def all_ended(self, *, is_sure: bool) -> None:
        """By a new password: what was given before is over, or may be."""
        if is_sure:
            self.ended.extend(self.families.values())
            self.families.clear()
        for family in self.families.values():
            family.is_doubtful = True

    async def introspect(self, family: Family) -> None:
        """Whether it is alive is what the answer says; saying no is no refusal."""
        what, token = f"family {family.name}", {"token": family.access}
        if family.client_id == SPA:
            return await self.userinfo(family, meant=True)
        await self._post(
            *("introspect", "/introspect", family.client_id, token),
            read=lambda answer: {"shows": what} if answer.json.get("active") else {},
        )
        return None

    async def userinfo(
        self, family: Family, *, meant: bool = False, register: str = "", claim: str = "name"
    ) -> None:
        answer = await self.caller.get(
            *("userinfo", "/userinfo"),
            lambda answer: {"read": str(answer.json.get(claim))} if answer.status == 200 else {},
            headers={"Authorization": f"Bearer {family.access}"},
            shows=f"family {family.name}",
            register=register,
            meant=meant or family.is_doubtful,
        )
        if answer is not None and answer.status == 401:
            self.families.pop(family.client_id, None)

    async def work(self) -> None:
        """A machine's token, by its secret."""
        await self._token("machine", MACHINE, {"grant_type": "client_credentials"}, {})

    async def sign(self, *, twice: bool) -> None:
        """A machine's token, by an assertion; and the same assertion again."""
        jti = secrets.token_hex(8)
        claims = {"iss": SIGNING, "sub": SIGNING, "aud": self._issuer, "jti": jti}
        now = int(time.time())
        signed = jwt.encode(
            {"alg": "ES256", "kid": "chaos"}, {**claims, "iat": now, "exp": now + 50}, self._signer
        )
        for number in range(1 + twice):
            await self._show(jti, signed, meant=number > 0)
        self.shown.append((jti, signed))

    async def _show(self, jti: str, signed: str, *, meant: bool) -> None:
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
        assertion = {"client_assertion": signed}
        await self._token("assertion", "", form, assertion, spends=f"jti {jti}", meant=meant)

    async def publish(self, kind: str, target: str) -> None:
        """What everybody may read."""
        await self.caller.get(kind, target, _keys_of)

    async def look_again(self) -> None:
        """At the end: what was spent or ended stays so."""
        for family in tuple(self.ended):
            await self.introspect(family)
            await self.refresh(family, meant=True)
        for client_id, code in tuple(self.spent):
            await self.redeem(client_id, code, meant=True)
        for jti, signed in self.shown:
            await self._show(jti, signed, meant=True)

    @property
    def _signer(self) -> ECKey:
        return _imported(self._key)

    async def _token(
        self, kind: str, client_id: str, form: dict[str, str], more: dict[str, str], **about: Any
    ) -> Answer | None:
        return await self._post(kind, "/token", client_id, {**form, **more}, _tokens_of, **about)

    async def _post(
        self,
        kind: str,
        target: str,
        client_id: str,
        form: dict[str, str],
        read: Any = None,
        **about: Any,
    ) -> Answer | None:
        if client_id == SPA:
            form = {**form, "client_id": SPA}
        elif client_id:
            about["headers"] = {"Authorization": basic(client_id, secret_of(client_id))}
        return await self.caller.post(kind, target, form, read, **about)


@cache
def _imported(key: str) -> ECKey:
    return ECKey.import_key(json.loads(key))


def _tokens_of(answer: Answer) -> Facts:
    given = answer.json
    tokens = [given[name] for name in ("id_token", "access_token") if name in given]
    if "refresh_token" not in given:
        return {"tokens": tokens}
    return {"tokens": tokens, "successor": fingerprint(given["refresh_token"])}


def _keys_of(answer: Answer) -> Facts:
    """The public keys, if that is what was asked for."""
    return {"keys": {key["kid"]: key for key in answer.json.get("keys", ())}}
