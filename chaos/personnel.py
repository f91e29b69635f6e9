"""A company's own system, which disables people by the management API and enables them again."""

from __future__ import annotations

from typing import Any

from bench.messages import basic
from chaos.caller import Caller
from chaos.person import Person
from chaos.products import Products
from chaos.registry import GUEST, WEB, personnel, secret_of


def roles_of(email: str) -> str:
    """The register of a person's roles."""
    return f"roles {email}"


class Personnel:
    """Disables one `member`, whose browser and products are its own."""

    def __init__(self, caller: Caller, colleague: Person, products: Products, member: str) -> None:
        self._caller = caller
        self._colleague = colleague
        self._products = products
        self._where = f"/api/v1/tenants/{caller.tenant}/people/{member}"
        client = personnel(caller.tenant)
        self._credentials = basic(client, secret_of(client))
        self._token = ""
        self._is_disabled: bool | None = None

    async def turn(self) -> None:
        """Disable who is enabled, or enable who is disabled; then see whether it holds. What was
        not answered is asked again the next time, until it is."""
        if self._is_disabled is not True:
            await self.disable()
        else:
            await self._enable()
        if self._is_disabled is not None:
            await self.look()

    async def look(self) -> None:
        """Whether their browser is signed in, or they can sign in."""
        meant = self._is_disabled is not False
        code = await self._colleague.authorize(WEB, meant=True)
        code = code or await self._colleague.sign_in(WEB, meant=meant)
        if code:
            family = await self._products.redeem(WEB, code, meant=meant)
            if family:
                await self._products.refresh(family, meant=meant)

    async def disable(self, *also: str) -> None:
        """Which ends, beside the person, what else is theirs."""
        ends = [self._who, *also]
        done = await self._ask("disable", ends=ends, audit="person.disabled")
        self._is_disabled = True if done else None

    async def demote(self) -> None:
        """To a role that opens the same product."""
        if not self._token:
            await self._get_token()
        where, headers = f"{self._where}/roles", {"Authorization": f"Bearer {self._token}"}
        held = await self._caller.get("held roles", where, headers=headers)
        seen = next(iter(held.headers(b"etag")), "") if held is not None else ""
        await self._caller.put_json(
            *("roles", where, {"roles": [GUEST]}),
            headers={**headers, "If_Match": seen},
            register=roles_of(self._colleague.email),
            wrote=str([GUEST]),
        )

    async def _enable(self) -> None:
        done = await self._ask("enable", revives=self._who, audit="person.enabled")
        self._is_disabled = False if done else None

    async def _ask(self, kind: str, **about: Any) -> bool:
        if not self._token:
            await self._get_token()
        answer = await self._caller.post(
            *(kind, f"{self._where}/{kind}", {}, None),
            headers={"Authorization": f"Bearer {self._token}"},
            meant=self._is_disabled is None,
            **about,
        )
        if answer is not None and answer.status in (401, 403):
            self._token = ""
        return answer is not None and answer.status == 204

    async def _get_token(self) -> None:
        form = {"grant_type": "client_credentials"}
        headers = {"Authorization": self._credentials}
        answer = await self._caller.post("personnel", "/token", form, None, headers=headers)
        self._token = str(answer.json.get("access_token", "")) if answer else ""

    @property
    def _who(self) -> str:
        return f"person {self._colleague.email}"
