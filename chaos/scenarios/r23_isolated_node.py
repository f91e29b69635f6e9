"""R23: one of three servers is cut off from Redis, then from the database, while people are
disabled, roles and tokens revoked and keys rotated at another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.directory import KEY_FILE, plan
from chaos.evidence import Evidence
from chaos.history import Fault, Operation
from chaos.invariants import failures_are_told, none_failed
from chaos.keeper import SIGNING_KEYS, Keeper
from chaos.nodes import PROBES, READY, Nodes, Watch, status_of, town_of_nodes, unnoticed
from chaos.person import Person, is_lost
from chaos.personnel import Personnel, roles_of
from chaos.products import Family, Products
from chaos.registry import COLLEAGUE, PASSWORD, STRICT, WEB, email, tenant_of
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until
from tests.machine.relay import Relay

REDIS, DATABASE = "without Redis: ", "without its database: "  # and the server's port
LONGEST, LEAST = 30.0, 8.0
WELL_WITHIN = 10.0
KNOWN_WITHIN = 1.0
LOOK_EVERY = 0.5
PUBLIC = ("jwks", "discovery", *PROBES)


class Subject:
    """One person, whom every server is asked about: their role and a product are taken from
    them, and then everything."""

    def __init__(self, run: Run, town: Nodes, number: int, member: str) -> None:
        self._callers = [
            Caller(FIRST + place, tenant_of(number), [node.port], run.pen)
            for place, node in enumerate(town.nodes)
        ]
        self._products = [Products(each, town.running.issuer, KEY_FILE) for each in self._callers]
        first, own = self._callers[0], self._products[0]
        self._person = Person(first, email(number, COLLEAGUE), PASSWORD)
        self._personnel = Personnel(first, self._person, own, member)
        self._keeper = Keeper(first)
        self._families: list[Family] = []

    async def sign_in(self) -> None:
        self._families.clear()
        for client_id in (WEB, STRICT):
            code = await self._person.authorize(client_id, meant=True)
            code = code or await self._person.sign_in(client_id)
            family = await self._products[0].redeem(client_id, code)
            assert family is not None, "the subject's code was refused"
            self._families.append(family)
        await self._keeper.connect()

    async def lose(self, waiting: list[str]) -> None:
        """A key that waits is revoked; where none does, some are made."""
        kept, revoked = self._families
        if waiting:
            kid = waiting.pop()
            await self._keeper.revoke(await self._keeper.alg_of(kid), kid)
        else:
            waiting += await self._keeper.rotate()
        await self._personnel.demote()
        await self._products[0].revoke(revoked)
        await self.look()
        await self._personnel.disable(f"family {kept.name}")

    async def look(self, until: float = 0.0) -> None:
        """At each server, at once and again and again until then."""
        await asyncio.gather(*(self._look(*each, until) for each in self._views))

    @property
    def _views(self) -> list[tuple[Person, Products]]:
        return [(self._person.at(each.caller), each) for each in self._products]

    async def _look(self, person: Person, products: Products, until: float) -> None:
        kept, revoked = map(replace, self._families)
        roles = {"register": roles_of(person.email), "claim": "roles"}
        while True:
            await products.publish("jwks", "/jwks")
            await products.userinfo(kept, meant=True, **roles)
            await products.introspect(revoked)
            await person.authorize(WEB, meant=True)
            if time.time() > until:
                break
            await asyncio.sleep(LOOK_EVERY)

    def close(self) -> None:
        for each in self._callers:
            each.close()


class IsolatedNode(Scenario):
    number = "R23"
    title = "isolated node"
    size = Size(rate=100, seconds=600, times=4)
    bounded = Size(rate=8, seconds=18)
    recovery = WELL_WITHIN
    mix = ORDINARY
    town = staticmethod(town_of_nodes)

    def fault(self, run: Run) -> None:
        town = run.town
        assert isinstance(town, Nodes)
        last = town.nodes[-1]
        ways = {f"{REDIS}{last.port}": last.redis, f"{DATABASE}{last.port}": last.database}
        people = plan(town.running.held, town.users)["people"]
        waiting: list[str] = []
        with Watch(town.nodes, run.pen):
            for number, (name, seconds) in enumerate(run.turns(ways, LONGEST)):
                which = number % town.users
                subject = Subject(run, town, which, people[which]["member"])
                run_alone(self._cut(run, name, ways[name], max(seconds, LEAST), subject, waiting))
                wait_until(lambda: status_of(last, READY) == 200)
                run_alone(_look_once(subject))

    async def _cut(
        self,
        run: Run,
        name: str,
        way: Relay,
        seconds: float,
        subject: Subject,
        waiting: list[str],
    ) -> None:
        await subject.sign_in()
        await subject.look()
        with run.pen.fault(name), way.hanging():
            until = time.time() + seconds
            await subject.lose(waiting)
            await subject.look(until)
        subject.close()

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """What is over is over at once at every server (I3, I4), and who has its database knows a
        key. The one that is cut off is unready, and without its database answers nothing from what
        it remembers; the others notice nothing."""
        cut_off = {fault.fault.rpartition(" ")[2] for fault in evidence.faults}
        asked = [each for each in evidence.operations if each.kind not in PROBES]
        yield from failures_are_told(asked)
        others = (each for each in asked if each.node not in cut_off)
        yield from none_failed(each for each in others if not is_lost(each))
        for fault in evidence.faults:
            node = fault.fault.rpartition(" ")[2]
            yield from unnoticed(fault, evidence.operations, node)
            yield from _wrong_meanwhile(fault, node, evidence.operations)
        yield from _keys_unknown(evidence, KNOWN_WITHIN * run.patience)


async def _look_once(subject: Subject) -> None:
    await subject.look()
    subject.close()


def _wrong_meanwhile(fault: Fault, node: str, operations: list[Operation]) -> Iterator[str]:
    for each in operations:
        if not (fault.start < each.start and each.end < fault.end):
            continue
        if each.node != node and each.kind in PROBES and not each.is_ok:
            yield f"the server at {each.node} is not {each.kind}: {fault.fault}"
        is_remembered = each.is_ok and each.kind not in PUBLIC and each.node == node
        if is_remembered and fault.fault.startswith(DATABASE):
            yield f"operation {each.number} ({each.kind}) was answered {fault.fault}"


def _keys_unknown(evidence: Evidence, within: float) -> Iterator[str]:
    """Each key that was made is published soon by every server that has its database, and one that
    was revoked is not."""
    looks = [each for each in evidence.operations if each.keys and not _is_cut(each, evidence)]
    revoked = {what for each in evidence.operations for what in each.ends}
    for each in (each for each in evidence.operations if each.is_ok):
        later = [look for look in looks if look.start > each.end + within]
        made = each.wrote.split() if each.register == SIGNING_KEYS else []
        for kid in (kid for kid in made if f"key {kid}" not in revoked):
            for look in (look for look in later if kid not in look.keys):
                yield f"key {kid} is unknown to the server at {look.node}: {look.number}"
        over = [what.removeprefix("key ") for what in each.ends if what.startswith("key ")]
        for look in (look for look in later if not look.keys.keys().isdisjoint(over)):
            yield f"a revoked key is published by the server at {look.node}: {look.number}"


def _is_cut(look: Operation, evidence: Evidence) -> bool:
    """From its database, or was a moment ago."""
    return any(
        fault.fault == f"{DATABASE}{look.node}"
        and fault.start < look.end
        and look.start < fault.end + KNOWN_WITHIN
        for fault in evidence.faults
    )


SCENARIO = IsolatedNode()
