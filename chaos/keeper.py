"""Who makes signing keys and revokes them, by the management API."""

from __future__ import annotations

from bench.messages import basic
from chaos.caller import Caller
from chaos.registry import KEEPER, secret_of
from chaos.wire import Answer

KEYS = "/api/v1/platform/keys"
SIGNING_KEYS = "signing keys"  # the register in which a rotation writes what it made


class Keeper:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._token = ""

    async def connect(self) -> None:
        """With a token."""
        form = {"grant_type": "client_credentials"}
        headers = {"Authorization": basic(KEEPER, secret_of(KEEPER))}
        answer = await self._caller.post("keeper", "/token", form, headers=headers)
        assert answer is not None, "the keeper got no token"
        self._token = str(answer.json["access_token"])

    async def rotate(self) -> list[str]:
        """The keys that were made, one for each algorithm; none where one waits already."""
        headers = self._headers
        answer = await self._caller.post(
            *("rotate", f"{KEYS}/rotate", {}, lambda answer: {"wrote": " ".join(_kids(answer))}),
            headers=headers,
            register=SIGNING_KEYS,
        )
        return _kids(answer) if answer is not None else []

    async def alg_of(self, kid: str) -> str:
        answer = await self._caller.get("key", f"{KEYS}/{kid}", headers=self._headers)
        return str(answer.json.get("alg")) if answer is not None else ""

    async def revoke(self, alg: str, kid: str) -> None:
        await self._caller.post_json(
            *("revoke key", f"{KEYS}/{kid}/revoke", {"confirm": alg}),
            headers=self._headers,
            ends=[f"key {kid}"],
            audit="signing_key.revoked",
        )

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def _kids(answer: Answer) -> list[str]:
    return list(answer.json.get("kids", []))
