"""R17: a hundred wrong passwords of one person and the right one at once; Redis is up, or away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.evidence import Evidence
from chaos.person import Person
from chaos.registry import PASSWORD, VICTIM, WEB, email, tenant_of
from chaos.scenario import Run, Scenario, Size
from chaos.waits import slowed

AT_ONCE = 100
SLOWER = 1.5


class Guesses(Scenario):
    number = "R17"
    title = "guesses at once"
    size = Size(rate=20, seconds=600, times=100)
    bounded = Size(rate=10, seconds=3, times=2)
    recovery = 10.0
    mix = ORDINARY

    def __init__(self) -> None:
        self._victims: list[str] = []

    def fault(self, run: Run) -> None:
        """The second half of them without Redis."""
        times = min(run.size.times, run.town.users)
        self._victims = [email(number, VICTIM) for number in range(times)]
        redis = run.town.redis
        assert redis is not None
        for number in range(times):
            if number == times // 2:
                redis.stop()
            run_alone(self._volley(run, number))
        redis.start()

    async def _volley(self, run: Run, number: int) -> None:
        people = [self._person(run, number, each) for each in range(AT_ONCE + 1)]
        forms = await asyncio.gather(*(person.guess(WEB) for person in people))
        ready = [form for form in forms if form is not None]
        with run.pen.fault("a volley"):
            guesses = [f"a guess {each} of many" for each in range(len(ready) - 1)]
            await asyncio.gather(
                *(send(guess) for send, guess in zip(ready, [*guesses, PASSWORD], strict=True))
            )
        await people[0].sign_in(WEB, meant=True)
        for person in people:
            person.close()

    def _person(self, run: Run, number: int, each: int) -> Person:
        caller = Caller(FIRST + each, tenant_of(number), run.town.ports, run.pen)
        return Person(caller, email(number, VICTIM), PASSWORD)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """As many are evaluated as there are tries, if enough were heard; and others hardly
        notice. That there are no more is I6."""
        for victim in self._victims:
            evaluated = len(evidence.guesses.get(victim, []))
            if evaluated < evidence.limit:
                yield f"of guesses at {victim} {evaluated} were evaluated"
        others = [each for each in evidence.operations if each.user < FIRST]
        yield from slowed("others", others, evidence.faults, SLOWER, run)


SCENARIO = Guesses()
