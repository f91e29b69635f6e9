"""R4: Redis is killed, restarted, hangs, is emptied, full, or a replica; the provider goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from chaos.crowd import FIRST, Crowd, run_alone
from chaos.evidence import Evidence
from chaos.invariants import none_failed
from chaos.load import MIXED
from chaos.person import HALFWAY, Person, is_lost
from chaos.products import Family
from chaos.registry import CAREFUL, PASSWORD, STRICT, VAULT, WEB, email
from chaos.scenario import Run, Scenario, Size
from chaos.waits import slowed
from tests.machine.redis_faults import FAULTS

HELD = 30.0  # seconds that each fault lasts, at most half of its share
WELL_WITHIN = 1.0
SLOWER = 2.0


class Past:
    """What was spent, ended and left unfinished before a fault, and is tried again after it."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._careful = Person(crowd.product.caller, email(0, CAREFUL), PASSWORD)
        self._rotated: list[tuple[Family, str]] = []

    async def make(self) -> None:
        """A code, an assertion, a family that is revoked, a generation before the last, and a
        sign-in that lacks the second factor."""
        product = self._crowd.product
        await product.revoke(await self._crowd.family(WEB))
        await product.sign(twice=False)
        strict = await self._crowd.family(STRICT)
        before = strict.refresh
        for _ in range(2):
            await product.refresh(strict)
        self._rotated.append((strict, before))
        await self._careful.stop_halfway(VAULT)

    async def try_again(self) -> None:
        await self._crowd.product.look_again()
        while self._rotated:
            await self._crowd.product.replay(*self._rotated.pop())
        await self._careful.go_on_halfway()


class Redis(Scenario):
    number = "R4"
    title = "Redis"
    size = Size(rate=100, seconds=600)
    bounded = Size(rate=15, seconds=5)
    recovery = WELL_WITHIN
    mix: ClassVar = {**MIXED, "guess": 5, "second factor": 5}

    def fault(self, run: Run) -> None:
        run_alone(self._break(run))

    async def _break(self, run: Run) -> None:
        """In every way, as often as the size says."""
        redis = run.town.redis
        assert redis is not None
        crowd = Crowd(run.town, run.pen, 0)
        past = Past(crowd)
        for name, seconds in run.turns(FAULTS, HELD):
            await past.make()
            with run.pen.fault(name), FAULTS[name](redis):
                run.pause(seconds)
                await past.try_again()
        crowd.close()

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """Nothing fails from the first moment on, since the database is asked instead. That nothing
        is good again is I1, I2, I4 and I6."""
        yield from none_failed(each for each in evidence.operations if not is_lost(each))
        for each in evidence.operations:
            if each.kind == HALFWAY and each.shows:
                yield f"operation {each.number} got a code for half of a sign-in"
        load = [each for each in evidence.operations if each.user < FIRST]
        yield from slowed("whatever was asked", load, evidence.faults, SLOWER, run)


SCENARIO = Redis()
