"""R13: signing keys are rotated ten times, by fifty at once each time; one is revoked."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from joserfc import jws

from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, Crowd, run_alone
from chaos.evidence import Evidence
from chaos.history import Operation
from chaos.keeper import Keeper
from chaos.registry import WEB, tenant_of
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until
from idp.tokens.key_pairs import ALGORITHMS
from tests.machine.processes import kill

AT_ONCE, FEW = 50, 5
LEAD, MAX_AGE = 20, 5  # seconds, as 600 and 30 are in production
GONE_WITHIN = 60.0


class KeyRotation(Scenario):
    number = "R13"
    title = "key rotation"
    size = Size(rate=200, seconds=1800, times=10)
    bounded = Size(rate=4, seconds=5, times=1)
    recovery = GONE_WITHIN
    mix = ORDINARY
    settings: ClassVar = {"signing_key_lead": LEAD, "jwks_max_age": MAX_AGE}

    def __init__(self) -> None:
        self._wrong: list[str] = []

    def fault(self, run: Run) -> None:
        """A worker is killed in the middle; the revocation is at the end."""
        self._wrong.clear()
        for number in run.times():
            begun = time.monotonic()
            with run.pen.fault("a rotation"):
                made = run_alone(self._rotate(run))
            if len(made) != len(ALGORITHMS) and time.monotonic() - begun < LEAD:
                self._wrong.append(f"rotations at once made {len(made)} keys")
            if number == run.size.times // 2:
                kill(random.choice(run.town.workers()))
                wait_until(run.town.is_whole)
            time.sleep(LEAD)
        run_alone(self._revoke(run))

    async def _rotate(self, run: Run) -> list[str]:
        many = FEW if run.is_short else AT_ONCE
        keepers = [self._keeper(run, number) for number in range(many)]
        await asyncio.gather(*(keeper.connect() for keeper in keepers))
        made = await asyncio.gather(*(keeper.rotate() for keeper in keepers))
        return [kid for kids in made for kid in kids]

    async def _revoke(self, run: Run) -> None:
        """The key that has signed a token: it is good for nothing, soon."""
        crowd, keeper = Crowd(run.town, run.pen, 0), self._keeper(run, 0)
        await keeper.connect()
        family = await crowd.family(WEB)
        header = _header(family.access)
        with run.pen.fault("a revoked key"):
            await keeper.revoke(str(header["alg"]), str(header["kid"]))
        await asyncio.sleep(1.0)
        await crowd.product.userinfo(family, meant=True)
        if family.client_id in crowd.product.families:
            self._wrong.append("a token of a revoked key is good a second later")
        crowd.close()

    def _keeper(self, run: Run, number: int) -> Keeper:
        return Keeper(Caller(FIRST + number, tenant_of(0), run.town.ports, run.pen))

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """Whoever fetched the keys at most MAX_AGE before a token was made has the one it needs,
        until one is revoked: what signs instead is new. A revoked one is published no more."""
        yield from self._wrong
        looks = [each for each in evidence.operations if each.keys]
        revoked = {
            what.removeprefix("key "): each.end
            for each in evidence.operations
            for what in each.ends
            if what.startswith("key ")
        }
        for each in evidence.operations:
            if each.end < min(revoked.values(), default=0.0):
                for kid in {str(_header(token)["kid"]) for token in each.tokens}:
                    yield from _unknown(kid, each, looks)
        for kid, at in revoked.items():
            late = [each for each in looks if kid in each.keys and each.start > at + GONE_WITHIN]
            if late:
                yield f"key {kid} is published after its revocation"


def _header(token: str) -> dict[str, Any]:
    return jws.extract_compact(token.encode()).headers()


def _unknown(kid: str, issue: Operation, looks: list[Operation]) -> Iterator[str]:
    for look in looks:
        if issue.end - MAX_AGE < look.start and look.end < issue.start and kid not in look.keys:
            yield f"operation {issue.number} signs by {kid}, unknown to {look.number}"


SCENARIO = KeyRotation()
