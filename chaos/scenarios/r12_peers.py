"""R12: of the providers by which people sign in, and of the products that are told of sign-outs, a
fifth each hang, answer garbage, answer a gigabyte, or have other keys."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import sqlalchemy as sa

from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.directory import KEY_FILE
from chaos.evidence import Evidence
from chaos.federated import AWAY, BACK, Federated
from chaos.history import Fault, Operation
from chaos.invariants import none_failed
from chaos.peers import (
    HANGS,
    OF_PRODUCTS,
    PEERS,
    TOLD,
    WELL,
    Peers,
    is_rotated,
    peers_known_to,
    product_of,
    provider_of,
    trouble_of,
)
from chaos.person import SIGN_OUT, Person
from chaos.products import Products
from chaos.registry import COLLEAGUE, PASSWORD, VICTIM, email, tenant_of
from chaos.scenario import Run, Scenario, Size
from chaos.scenarios.r11_mail import backed_off
from chaos.town import wait_until
from chaos.waits import slowed
from idp.outbox import PENDING, OutboxMessage
from idp.sessions.logout import MESSAGE

LEAVER = FIRST + PEERS  # number of the first caller who signs out; before it, one for each provider
OPENED = 10  # products that each of them has signed into
KNOWN_WITHIN = 1.5  # seconds until every process has read of a new client
INSISTED = 4  # times
VISITS = 0.5  # by other providers, for each visit of the load
AFTER = 0.3  # of the time, when all are well again
SLOWER = 1.5
FETCHED_AGAIN_AFTER, ASKED_AGAIN_AFTER = 60.0, 10.0  # for a key; who has not answered
CLOSED_WITHIN, SIGNED_OUT_WITHIN, TOLD_WITHIN = 5.0, 1.0, 6.0
MOST_PATIENCE = 3.0
DRAINED_WITHIN = 300.0
REFUSED_AT_MOST = 0.1  # of those whose provider is well: too many wait for others


class PeersInTrouble(Scenario):
    """`times` is how many people sign out, of OPENED products each."""

    number = "R12"
    title = "peers that hang"
    size = Size(rate=20, seconds=600, times=600)
    bounded = Size(rate=8, seconds=7, times=5)
    recovery = 15.0
    mix = ORDINARY

    def __init__(self) -> None:
        self._fetches: dict[int, int] = {}
        self._left = 0

    def fault(self, run: Run) -> None:
        with peers_known_to(run.town.running.held, run.town.users, run.pen) as peers:
            run.pause(KNOWN_WITHIN)
            run_alone(self._go(run, peers))
            if not run.is_short:
                wait_until(lambda: not waiting(run, range(PEERS)), 2 * DRAINED_WITHIN)
            self._left = waiting(run, are_well())

    async def _go(self, run: Run, peers: Peers) -> None:
        for number in range(len(peers.providers)):
            await visit(run, number, meant=False)
        before = peers.key_sets_sent()
        until = run.until - AFTER * (run.until - run.now) * (not run.is_short)
        with peers.in_trouble(), run.pen.fault("peers in trouble"):
            begun = run.now
            await asyncio.gather(
                visits(run, peers, until, begun),
                insist(run, before),
                leave_one_after_another(run, until),
            )
            await all_told(run)
        after = peers.key_sets_sent()
        self._fetches = {number: after[number] - before[number] for number in before}
        await visits(run, peers, run.until, begun, run.now)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        [fault] = evidence.faults
        patience, mine = patience_of(run), evidence.operations
        local = [each for each in mine if each.user < FIRST]
        yield from none_failed(local)
        yield from slowed("who signs in here", local, evidence.faults, SLOWER, run)
        yield from failed_closed(mine, fault, CLOSED_WITHIN * patience)
        yield from well_ones_are_let_in(mine)
        yield from seldom_fetched(self._fetches, fault.end - fault.start)
        yield from signed_out(mine, SIGNED_OUT_WITHIN * patience)
        yield from told(mine, TOLD_WITHIN * patience, are_all=not run.is_short)
        if self._left:
            yield f"{self._left} sign-outs have not been told to products that answer"
        with run.town.running.held.database.engine.connect() as connection:
            rows = connection.execute(TRIES, {"since": run.begun})
            yield from backed_off([(row[0], row[1] or 0.0) for row in rows])


async def visit(run: Run, number: int, *, meant: bool) -> None:
    """By one provider."""
    caller = Caller(FIRST + number, tenant_of(number), run.town.ports, run.pen)
    await Federated(caller, email(number, VICTIM), provider_of(number)).visit(meant=meant)
    caller.close()


async def visits(
    run: Run, peers: Peers, until: float, begun: float, ended: float = float("inf")
) -> None:
    """By each provider in turn, as they are due."""
    each, number, going = 1 / (VISITS * run.size.rate), len(peers.providers), []
    for place in count():
        if run.now > until:
            break
        meant = not is_forgotten(place % number, run.now, begun, ended)
        going.append(asyncio.create_task(visit(run, place % number, meant=meant)))
        await asyncio.sleep(each)
    await asyncio.gather(*going)


async def insist(run: Run, numbers: Iterable[int]) -> None:
    """By those whose keys are strange, again and again."""
    for _ in range(INSISTED):
        for number in numbers:
            await visit(run, number, meant=True)


def is_forgotten(number: int, now: float, begun: float, ended: float) -> bool:
    """Whether nothing is left of the trouble that it had from `begun` until `ended`."""
    if is_rotated(number):
        return now > begun + FETCHED_AGAIN_AFTER + 1
    trouble = trouble_of(number)
    return trouble == WELL or now > ended + (ASKED_AGAIN_AFTER + 1) * (trouble == HANGS)


async def leave_one_after_another(run: Run, until: float) -> None:
    begun, going = run.now, []
    share = (until - begun) / run.size.times * (1 - run.is_short / 2)
    for place in range(run.size.times):
        going.append(asyncio.create_task(leave(run, place)))
        await asyncio.sleep(begun + (place + 1) * share - run.now)
    await asyncio.gather(*going)


async def leave(run: Run, place: int) -> None:
    """Sign into some products, and out of all of them."""
    number = place % run.town.users
    caller = Caller(LEAVER + place, tenant_of(number), run.town.ports, run.pen)
    person = Person(caller, email(number, COLLEAGUE), PASSWORD)
    products = Products(caller, run.town.running.issuer, KEY_FILE)
    for offset in range(OPENED):
        client_id = product_of((place * OPENED + offset) % PEERS)
        code = await (person.authorize(client_id) if offset else person.sign_in(client_id))
        if code:
            await products.redeem(client_id, code)
    await person.sign_out()
    caller.close()


def patience_of(run: Run) -> float:
    """So little that no sign-out can have waited for a product that hangs."""
    return min(run.patience, MOST_PATIENCE)


async def all_told(run: Run) -> None:
    """Who is well, or they have waited for too long."""
    with suppress(TimeoutError):
        seconds = TOLD_WITHIN * patience_of(run)
        await asyncio.to_thread(wait_until, lambda: not waiting(run, are_well()), seconds)


def are_well() -> list[int]:
    """The products that answer."""
    return [number for number in range(PEERS) if is_answering(number)]


def is_answering(number: int) -> bool:
    return OF_PRODUCTS.get(trouble_of(number)) in (None, "1 GiB")


def waiting(run: Run, numbers: Sequence[int]) -> int:
    """Logout tokens that are yet to be delivered to these."""
    of = sa.select(sa.func.count()).where(
        OutboxMessage.status == PENDING,
        OutboxMessage.client_id.in_([product_of(each) for each in numbers]),
    )
    with run.town.running.held.database.engine.connect() as connection:
        return int(connection.scalar(of) or 0)


TRIES = sa.select(
    OutboxMessage.attempts, OutboxMessage.finished_at - OutboxMessage.created_at
).where(
    OutboxMessage.kind == MESSAGE,
    OutboxMessage.finished_at.is_not(None),
    OutboxMessage.created_at >= sa.bindparam("since"),
)


def failed_closed(operations: Sequence[Operation], fault: Fault, within: float) -> Iterator[str]:
    """Nobody waits for longer, and nobody is let in by who is in trouble."""
    for each in operations:
        if each.kind in (AWAY, BACK) and each.end - each.start > within:
            yield f"operation {each.number} ({each.kind}) took {each.end - each.start:.1f} s"
        number = each.user - FIRST
        if each.kind != BACK or not each.is_ok or trouble_of(number) == WELL or is_rotated(number):
            continue
        if fault.start < each.start and each.end < fault.end:
            yield f"operation {each.number} is let in by one that {trouble_of(number)}"


def well_ones_are_let_in(operations: Sequence[Operation]) -> Iterator[str]:
    """But for a few, who are told 503 since too many wait for others."""
    came = [each for each in operations if each.kind in (AWAY, BACK) and not each.meant]
    wrong = [each for each in came if each.is_wrong]
    refused = [each for each in wrong if each.status == 503]
    if len(refused) > REFUSED_AT_MOST * len(came) or len(refused) < len(wrong):
        yield f"{len(wrong)} of {len(came)} were refused by ones that are well: {wrong[0]}"


def seldom_fetched(fetches: Mapping[int, int], seconds: float) -> Iterator[str]:
    """A key set for a key that is not in it."""
    for number, times in fetches.items():
        if times > 1 + seconds // FETCHED_AGAIN_AFTER:
            yield f"{provider_of(number)} was asked {times} times for its keys in {seconds:.0f} s"


def signed_out(operations: Sequence[Operation], within: float) -> Iterator[str]:
    for each in operations:
        if each.kind == SIGN_OUT and (not each.is_ok or each.end - each.start > within):
            yield f"a sign-out came to {each.status} after {each.end - each.start:.1f} s"


def told(operations: Sequence[Operation], within: float, *, are_all: bool) -> Iterator[str]:
    """Each product whose session was signed out takes one token of it: in time if it answers, and
    later, where `are_all` awaited, if it did not. Nobody else hears anything."""
    over = sessions_over(operations)
    taken: dict[tuple[str, str], list[Operation]] = {}
    for each in (each for each in operations if each.kind == TOLD):
        claims = claims_of(each.tokens[0])
        session = (str(claims["aud"]), str(claims["sid"]))
        if session not in over or each.node != claims["aud"]:
            yield f"{each.node} was told of a session of {claims['aud']}"
        elif each.is_ok:
            taken.setdefault(session, []).append(each)
    for session, at in over.items():
        number, came = int(session[0].rpartition("-")[2]), taken.get(session, [])
        if not is_answering(number) and not came and not are_all:
            continue
        late = is_answering(number) and came and came[0].end - at > within
        if len(came) != 1 or late:
            after = f", after {came[0].end - at:.1f} s" if came else ""
            yield f"{session[0]} ({trouble_of(number)}) took {len(came)} tokens{after}"


def sessions_over(operations: Sequence[Operation]) -> dict[tuple[str, str], float]:
    """Client and `sid` of each that was signed out, and when."""
    opened: dict[int, list[tuple[str, str]]] = {}
    over: dict[tuple[str, str], float] = {}
    for each in operations:
        if each.user < LEAVER or not each.is_ok:
            continue
        if each.kind == "redeem":
            claims = claims_of(each.tokens[0])
            opened.setdefault(each.user, []).append((str(claims["aud"]), str(claims["sid"])))
        elif each.kind == SIGN_OUT:
            over |= dict.fromkeys(opened.get(each.user, []), each.end)
    return over


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * 3))
    return claims


SCENARIO = PeersInTrouble()
