"""The load: virtual users in a process of its own, whose visits begin when they are due.

`python -m chaos.load PLAN HISTORY` reads a Plan as JSON, says "begun" when everybody is signed in,
and ends at SIGTERM, when everybody has had a last look. Arrivals are open: a slow server does not
get fewer.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from chaos.caller import Caller
from chaos.history import Pen
from chaos.person import Person
from chaos.personnel import Personnel
from chaos.products import Products
from chaos.registry import CAREFUL, COLLEAGUE, PERSON, SPA, STRICT, VAULT, VICTIM, WEB

BEGUN = "begun"
AT_ONCE = 4  # who sign in before the load begins; one process has room for them
GUESSES = 8  # some may not have been heard
PLACES = (WEB, WEB, SPA, STRICT)  # what is opened, and how often

# Of a hundred visits: 40 for tokens, 30 by single sign-on, 10 passwords, 20 that everybody may read
MIXED = {
    "refresh": 22,
    "machine": 8,
    "assertion": 5,
    "revoke": 3,
    "replay": 1,
    "colleague": 1,
    "single sign-on": 28,
    "replayed code": 1,
    "rename": 1,
    "password": 10,
    "discovery": 5,
    "jwks": 6,
    "userinfo": 9,
}


@dataclass(frozen=True)
class Plan:
    """`rate` is visits a second, each of one or more requests; `mix` their kinds and weights.
    Operations are numbered from `first`."""

    ports: list[int]
    issuer: str
    rate: float
    people: list[dict[str, str]]
    password: str
    key: str
    first: int = 0
    seed: int = 0
    mix: Mapping[str, int] = field(default_factory=lambda: MIXED)

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))


class VirtualUser:
    """One thing at a time."""

    def __init__(self, number: int, who: dict[str, str], plan: Plan, pen: Pen) -> None:
        self.caller = Caller(number, who["tenant"], plan.ports, pen)
        self._person = Person(self.caller, who[PERSON], plan.password)
        self._victim = Person(self.caller, who[VICTIM], plan.password)
        self._careful = Person(self.caller, who[CAREFUL], plan.password, who["app"])
        shared = (plan.issuer, plan.key)
        self._products = Products(self.caller, *shared)
        colleague = Person(self.caller, who[COLLEAGUE], plan.password)
        theirs = Products(self.caller, *shared)
        self._personnel = Personnel(self.caller, colleague, theirs, who["member"])
        self._random = random.Random(f"{plan.seed} {number}")
        self._has_changed_somebody = False
        self._old_password = ""
        self._guesses = 0

    async def begin(self) -> None:
        code = await self._person.sign_in(WEB)
        if code:
            await self._products.redeem(WEB, code)

    async def visit(self, kind: str, due: float) -> None:
        self.caller.due = due
        await self._visits[kind]()

    async def end(self) -> None:
        """What was said to be over is looked at once more, and what was written is read."""
        await self._products.look_again()
        if self._has_changed_somebody:
            await self._personnel.look()
        if self._guesses:
            await self._victim.sign_in(WEB, meant=True)
        if self._old_password:
            await self._person.try_in_vain(WEB, self._old_password)
        if family := await self._open(WEB):
            await self._products.userinfo(family, register=self._name)
        self.caller.close()

    @property
    def _visits(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        products = self._products
        return {
            "refresh": self._refresh,
            "machine": products.work,
            "assertion": lambda: products.sign(twice=self._random.random() < 0.2),
            "revoke": self._revoke,
            "replay": self._replay,
            "colleague": self._turn_colleague,
            "single sign-on": lambda: self._open(self._random.choice(PLACES)),
            "replayed code": self._replay_code,
            "rename": self._person.rename,
            "password": self._sign_in,
            "new password": self._change_password,
            "guess": self._guess,
            "second factor": self._use_app,
            "discovery": lambda: products.publish("discovery", "/.well-known/openid-configuration"),
            "jwks": lambda: products.publish("jwks", "/jwks"),
            "userinfo": self._look,
        }

    @property
    def _name(self) -> str:
        return f"name {self._person.email}"

    async def _open(self, client_id: str) -> Any:
        code = await self._person.authorize(client_id)
        return await self._products.redeem(client_id, code) if code else await self._sign_in()

    async def _sign_in(self) -> Any:
        code = await self._person.sign_in(WEB)
        return await self._products.redeem(WEB, code) if code else None

    async def _change_password(self) -> None:
        """As often as a person may; and then the old one opens nothing."""
        family = await self._sign_in()
        if family is None or not self._person.may_have_another_letter:
            return
        before = self._person.passwords[0]
        is_over = await self._person.change_password()
        if is_over is not False:
            self._products.all_ended(is_sure=bool(is_over))
            await self._person.try_in_vain(WEB, before)
            self._old_password = before if is_over else ""

    async def _guess(self) -> None:
        """Until sign-in has to be paused; and then the right password opens nothing."""
        self._guesses += 1
        if self._guesses > GUESSES:
            await self._victim.sign_in(WEB, meant=True)
        else:
            await self._victim.try_in_vain(WEB, f"a guess {self._guesses} of theirs")

    async def _use_app(self) -> None:
        """Once, and the same code at once in another browser."""
        if await self._careful.sign_in(VAULT, meant=True):
            await self._careful.sign_in(VAULT, meant=True)

    async def _family(self) -> Any:
        client_id = self._random.choice(PLACES)
        return self._products.families.get(client_id) or await self._open(client_id)

    async def _refresh(self) -> None:
        if family := await self._family():
            await self._products.refresh(family)

    async def _look(self) -> None:
        if family := await self._family():
            await self._products.userinfo(family, register=self._name)

    async def _revoke(self) -> None:
        if family := await self._family():
            await self._products.revoke(family)
            await self._products.introspect(family)
            await self._products.refresh(family, meant=True)

    async def _replay(self) -> None:
        """A strict client's token of the generation before ends its family."""
        family = self._products.families.get(STRICT) or await self._open(STRICT)
        if family and family.client_id == STRICT:
            before = family.refresh
            await self._products.refresh(family)
            await self._products.replay(family, before)

    async def _replay_code(self) -> None:
        client_id = self._random.choice(PLACES)
        if code := await self._person.authorize(client_id):
            await self._products.redeem(client_id, code)
            await self._products.redeem(client_id, code, meant=True)
            self._products.families.pop(client_id, None)

    async def _turn_colleague(self) -> None:
        self._has_changed_somebody = True
        await self._personnel.turn()


class Load:
    def __init__(self, plan: Plan, pen: Pen) -> None:
        self._plan = plan
        self._stop = asyncio.Event()
        self._idle: asyncio.Queue[VirtualUser] = asyncio.Queue()
        self._users = [VirtualUser(*each, plan, pen) for each in enumerate(plan.people)]

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """The keys are looked at first and last, so that they are known of every token."""
        await self._users[0].visit("jwks", time.time())
        await self._all(VirtualUser.begin)
        print(BEGUN, flush=True)
        for user in self._users:
            self._idle.put_nowait(user)
        visits: list[asyncio.Task[None]] = []
        kinds, weights = list(self._plan.mix), list(self._plan.mix.values())
        chance = random.Random(self._plan.seed)
        due = time.time()
        while not self._stop.is_set():
            due += chance.expovariate(self._plan.rate)
            await asyncio.sleep(max(0.0, due - time.time()))
            [kind] = chance.choices(kinds, weights)
            visits.append(asyncio.create_task(self._visit(kind, due)))
        await asyncio.gather(*visits)
        await self._users[0].visit("jwks", time.time())
        await self._all(VirtualUser.end)

    async def _visit(self, kind: str, due: float) -> None:
        """By whoever is idle; the wait for one counts as the server's."""
        user = await self._idle.get()
        try:
            await user.visit(kind, due)
        finally:
            self._idle.put_nowait(user)

    async def _all(self, act: Callable[[VirtualUser], Awaitable[None]]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(user: VirtualUser) -> None:
            async with room:
                await act(user)

        await asyncio.gather(*map(one, self._users))


async def run(plan: Plan, pen: Pen) -> None:
    load = Load(plan, pen)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stop)
    await load.run()


if __name__ == "__main__":
    told, written = map(Path, sys.argv[1:3])
    plan = Plan(**orjson.loads(told.read_bytes()))
    asyncio.run(run(plan, Pen(written, plan.first)))
