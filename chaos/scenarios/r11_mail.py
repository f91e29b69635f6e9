"""R11: the mail server dawdles, has no room, is down, or says twice that it took a letter."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from chaos.browser import Browser, hidden
from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.evidence import Evidence
from chaos.history import Operation
from chaos.registry import ROLES, email, tenant_of
from chaos.report import percentile
from chaos.scenario import Run, Scenario, Size
from chaos.town import town_with_mail, wait_until
from chaos.waits import ROUGH, SHARE
from idp import delivery, outbox
from idp.outbox import CODE, PENDING, OutboxMessage
from tests.credentials.stand_ins import MailServer

TARPIT = 30.0  # seconds for a letter
MANY = 10_000
DRAINED_WITHIN, SENT_ONCE = 300.0, 0.999
LATER, APART = 20.0, 5.0  # ms
ASKED = ("forgot known", "forgot unknown")
SIGN_IN = "password"
EXPIRED = "expired@chaos.example"
RESET = "/login/reset?token="
DOWN = "down"
TROUBLES = ("a tarpit", "no room", "twice", DOWN)


class Mail(Scenario):
    """`times` is how many letters are asked for, in each trouble and before the first, and as many
    for nobody."""

    number = "R11"
    title = "mail"
    size = Size(rate=20, seconds=3000, times=45)
    bounded = Size(rate=5, seconds=6, times=3)
    recovery = 10.0
    mix = ORDINARY
    town = staticmethod(town_with_mail)

    def __init__(self) -> None:
        self._asked: list[str] = []
        self._heard: list[str] = []
        self._drained = 0.0

    def fault(self, run: Run) -> None:
        """In each trouble for a fifth of the time, and then until the last letter has left."""
        self._asked.clear()
        post = run.town.post
        assert post is not None
        share = (run.until - run.now) / (1 + len(TROUBLES))
        self._ask(run, share)
        for name in TROUBLES:
            with run.pen.fault(name), trouble(post, name, min(TARPIT, share)):
                if name == DOWN:
                    leave_expired(run)
                self._ask(run, share)
        self._drained = wait_until(lambda: not waiting(run), 2 * DRAINED_WITHIN)
        resets = [each for each in post.heard if RESET in each.get_content()]
        self._heard = [str(each["To"]) for each in resets]

    def _ask(self, run: Run, seconds: float) -> None:
        """For people who were not asked for before: each may have one letter a minute."""
        number, until = run.size.times, time.time() + seconds
        known = [email(n, role) for n in range(run.town.users) for role in ROLES]
        chosen = known[len(self._asked) : len(self._asked) + number]
        self._asked += chosen
        run_alone(_ask(run, chosen, until))

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        if self._drained > DRAINED_WITHIN * run.patience:
            yield f"the last letter left after {self._drained:.0f} s"
        yield from sent_once(self._asked, self._heard)
        with run.town.running.held.database.engine.connect() as connection:
            tries = [(row[0], row[1] or 0.0) for row in connection.execute(_TRIES)]
        yield from backed_off(tries)
        slower = LATER * run.patience + ROUGH * (run.patience - 1)
        first = min(each.start for each in evidence.faults)
        mine = [each for each in evidence.operations if each.start > run.begun]
        for kinds in (ASKED, (SIGN_IN,)):
            yield from unmoved([each for each in mine if each.kind in kinds], first, slower)
        apart = APART * run.patience + ROUGH * (run.patience - 1)
        yield from alike([each for each in mine if each.user >= FIRST], apart)


async def _ask(run: Run, chosen: Sequence[str], until: float) -> None:
    """For each of them and for nobody in turn, evenly until then."""
    each = (until - time.time()) / max(1, len(chosen))
    for place, known in enumerate(chosen):
        due = time.time() + each
        nobody = f"nobody-{time.time_ns()}@chaos.example"
        both = [*zip(ASKED, (known, nobody), strict=True)]
        for kind, address in both if place % 2 else both[::-1]:
            number = run.pen.number()
            network = f"198.19.{number >> 8 & 255}.{number & 255}"
            caller = Caller(FIRST, tenant_of(0), run.town.ports, run.pen, network)
            browser = Browser(caller)
            page = await browser.open("forgot page", "/login/forgot")
            if page is not None:
                await browser.send(kind, "/login/forgot", {**hidden(page), "email": address})
            caller.close()
        await asyncio.sleep(due - time.time())


@contextmanager
def trouble(post: MailServer, name: str, seconds: float) -> Iterator[None]:
    """It dawdles for so long with each letter, if that is it."""
    if name == DOWN:
        post.down()
        yield
        post.up()
        return
    troubles: dict[str, dict[str, Any]] = {
        "a tarpit": {"dawdles": seconds / 2},
        "no room": {"to_names": ["450 later"] * MANY},
        "twice": {"answers": ["250 OK\r\n250 OK"] * MANY},
    }
    vars(post).update(troubles[name])
    yield
    vars(post).update(dawdles=0.0, to_names=[], answers=[])


def waiting(run: Run) -> int:
    """Messages that are yet to leave."""
    of = sa.select(sa.func.count()).where(OutboxMessage.status == PENDING)
    with run.town.running.held.database.engine.connect() as connection:
        return int(connection.scalar(of) or 0)


def leave_expired(run: Run) -> None:
    """A letter that waits until it is good for nothing."""
    one = sa.select(OutboxMessage.payload).where(OutboxMessage.kind == CODE).limit(1)
    database = run.town.running.held.database
    with database.engine.connect() as connection:
        about = {**connection.scalars(one).one(), "to": EXPIRED, "expires_at": run.now}
    with database.transaction() as db:
        outbox.enqueue(db, CODE, about, run.now)


_TRIES = sa.select(
    OutboxMessage.attempts, OutboxMessage.finished_at - OutboxMessage.created_at
).where(OutboxMessage.finished_at.is_not(None))


def sent_once(asked: Sequence[str], heard: Sequence[str]) -> Iterator[str]:
    """Each who was asked for has one letter, and nobody else any."""
    letters = Counter(heard)
    wrong = [each for each in asked if letters[each] != 1]
    if len(wrong) > (1 - SENT_ONCE) * len(asked):
        yield f"{len(wrong)} of {len(asked)} did not get one letter: {letters[wrong[0]]} came"
    if foreign := sorted(letters.keys() - set(asked)):
        yield f"letters went to {foreign[:3]}"


def backed_off(tries: Sequence[tuple[int, float]]) -> Iterator[str]:
    """Whatever was tried so often took as long as the waits between: (tries, seconds)."""
    for number, seconds in tries:
        if seconds < sum(delivery.RETRY_AFTER[: number - 1]):
            yield f"a letter was tried {number} times in {seconds:.1f} s"


def unmoved(operations: Sequence[Operation], first: float, most: float) -> Iterator[str]:
    """The p95 is as it was, but for so many ms."""
    before = percentile([each.latency for each in operations if each.start < first], SHARE)
    since = percentile([each.latency for each in operations if each.start >= first], SHARE)
    if abs(since - before) > most:
        yield f"{operations[0].kind} took {since:.0f} ms (p95), and {before:.0f} before"


def alike(operations: Sequence[Operation], most: float) -> Iterator[str]:
    """Who is known is told as soon as who is not."""
    known, unknown = (
        statistics.median(1e3 * (each.end - each.start) for each in operations if each.kind == kind)
        for kind in ASKED
    )
    if abs(known - unknown) > most:
        yield f"who is known was told after {known:.1f} ms (median), who is not after {unknown:.1f}"


SCENARIO = Mail()
