"""Many who ask in the same moment, by connections that stand before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from chaos.caller import Caller
from chaos.directory import KEY_FILE
from chaos.history import Pen
from chaos.person import Person
from chaos.products import Family, Products
from chaos.registry import PASSWORD, email, tenant_of
from chaos.town import Town

Deed = Callable[[Products], Awaitable[object]]
Came = TypeVar("Came")

FIRST = 1000  # number of a crowd's first caller; those of the load are below
ORDINARY = {"refresh": 40, "single sign-on": 30, "password": 10, "jwks": 10, "userinfo": 10}


def run_alone(deeds: Coroutine[Any, Any, Came]) -> Came:
    """In a thread with a loop of its own: this one may have one that runs already, a browser's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, deeds).result()


class Crowd:
    """`size` callers in front of one `town`, of one company. What the load does beside it should
    be ORDINARY: it signs in as the same people, and changes nobody's password."""

    def __init__(self, town: Town, pen: Pen, size: int) -> None:
        self._town = town
        self._pen = pen
        self.callers = [self._caller(number) for number in range(size)]
        self.products = [self._products(caller) for caller in self.callers]
        self._own = self._caller(size)
        self.person = Person(self._own, email(0), PASSWORD)
        self.product = self._products(self._own)

    async def family(self, client_id: str) -> Family:
        """Of a new sign-in."""
        family = await self.product.redeem(client_id, await self.code(client_id))
        assert family is not None, "the crowd's code was refused"
        return family

    async def code(self, client_id: str) -> str:
        code = await self.person.authorize(client_id) or await self.person.sign_in(client_id)
        assert code, "the crowd got no code"
        return code

    async def at_once(self, *deeds: Deed) -> None:
        """Each deed by another caller, once all of them are connected."""
        chosen = list(zip(self.products, deeds, strict=False))
        await asyncio.gather(*(products.caller.connect() for products, _ in chosen))
        await asyncio.gather(*(deed(products) for products, deed in chosen))

    def close(self) -> None:
        for caller in (*self.callers, self._own):
            caller.close()

    def _caller(self, number: int) -> Caller:
        return Caller(FIRST + number, tenant_of(0), self._town.ports, self._pen)

    def _products(self, caller: Caller) -> Products:
        return Products(caller, self._town.running.issuer, KEY_FILE)
