"""R19: one company asks for ten times what it may have, beside others that ask for little."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from bench.messages import basic
from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.evidence import Evidence
from chaos.flood import SENT, Flood
from chaos.invariants import none_failed
from chaos.registry import NOISY, NOISY_PEOPLE, noisy_email, personnel, secret_of
from chaos.scenario import Run, Scenario, Size
from chaos.scenarios.r18_argon2_flood import STRICT
from chaos.waits import slowed
from chaos.wire import Answer
from idp.audit_chain import AuditEvent
from idp.directory.tenants import Tenant

SENDERS, EACH = 200, 10  # a short one comes from fewer, each of which sends as many at least
SYSTEM = FIRST + SENDERS  # number of the company's own, which invites people
INVITE, AGAIN = "invite", "invite again"
OF_ONE, MAY = 10, 5  # letters that it asks for to one address, of those that it may have in an hour
SLOWER = 1.5
SENT_AGAIN, REFUSED, TOO_MANY, BUSY = 204, 400, 429, 503
HELD_UP = (
    sa.select(Tenant.slug)
    .join(AuditEvent, AuditEvent.tenant_id == Tenant.id)
    .where(AuditEvent.tag == "sign_in.held_up", AuditEvent.at >= sa.bindparam("since"))
)


class NoisyTenant(Scenario):
    """At the table's size ten times the tries that ship, of a town where a company has ten."""

    number = "R19"
    title = "a noisy company"
    size = Size(rate=20, seconds=600, times=10_000)
    bounded = Size(rate=10, seconds=3, times=40)
    recovery = 10.0
    mix = ORDINARY
    settings = STRICT

    def fault(self, run: Run) -> None:
        run_alone(self._noise(run))

    async def _noise(self, run: Run) -> None:
        senders = min(SENDERS, run.size.times // EACH)
        people = [(noisy_email(each % NOISY_PEOPLE), NOISY) for each in range(senders)]
        flood, system = Flood(run, people), System(run)
        await flood.stand()
        with run.pen.fault("the noise"):
            await asyncio.gather(
                flood.pour(run.size.times, run, lambda place: f"a guess {place}"),
                system.invite(run.size.times // OF_ONE),
            )

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        with run.town.running.held.database.engine.connect() as connection:
            held_up = set(connection.scalars(HELD_UP, {"since": run.begun}))
        yield from refused(evidence, held_up)
        quiet = [each for each in evidence.operations if each.user < FIRST]
        yield from slowed("the quiet ones", quiet, evidence.faults, SLOWER, run)
        yield from none_failed(quiet)


class System:
    """The company's own, by the management API."""

    def __init__(self, run: Run) -> None:
        self._caller = Caller(SYSTEM, NOISY, run.town.ports, run.pen)
        self._run = run
        self._headers: dict[str, str] = {}

    async def invite(self, number: int) -> None:
        """So many people, and each of them again and again, while there is time."""
        where = f"/api/v1/tenants/{NOISY}/invitations"
        for person in range(number):
            if self._run.now > self._run.begun + self._run.size.seconds * self._run.patience:
                break
            await self._connect()
            invited = {"email": f"invited{person}-{self._run.begun:.0f}@chaos.example"}
            answer = await self._ask(INVITE, where, {**invited, "roles": ["clerk"]})
            if answer is None or answer.status != 201:
                continue
            for _ in range(OF_ONE - 1):
                await self._ask(AGAIN, f"{where}/{answer.json['id']}/again", {})
        self._caller.close()

    async def _connect(self) -> None:
        """With a token, which may be over before the noise is."""
        client = personnel(NOISY)
        headers = {"Authorization": basic(client, secret_of(client))}
        form = {"grant_type": "client_credentials"}
        answer = await self._caller.post("personnel", "/token", form, None, headers=headers)
        if answer is not None and answer.status == 200:
            self._headers = {"Authorization": f"Bearer {answer.json['access_token']}"}

    async def _ask(self, kind: str, target: str, body: dict[str, object]) -> Answer | None:
        """What is too much is refused, and that is no fault."""
        return await self._caller.post_json(kind, target, body, headers=self._headers, meant=True)


def refused(evidence: Evidence, held_up: set[str]) -> Iterator[str]:
    """What is too much of the noisy company, and of it alone. It may have to wait as well."""
    if held_up != {NOISY}:
        yield f"sign-in was held up at {sorted(held_up)}"
    for each in evidence.operations:
        if each.status == TOO_MANY and each.tenant != NOISY:
            yield f"operation {each.number} of {each.tenant} is told {TOO_MANY}"
    own = [each for each in evidence.operations if each.tenant == NOISY]
    flood = Counter(each.status for each in own if each.kind == SENT)
    if not flood[REFUSED] or flood.keys() - {REFUSED, BUSY}:
        yield f"the noisy company's passwords are answered {dict(flood)}"
    invited = sum(each.is_ok for each in own if each.kind == INVITE)
    letters = Counter(each.status for each in own if each.kind == AGAIN)
    is_too_much = letters[SENT_AGAIN] > (MAY - 1) * invited or not letters[TOO_MANY]
    if is_too_much or letters.keys() - {SENT_AGAIN, TOO_MANY, BUSY}:
        yield f"{invited} people were invited, and then {dict(letters)}"


SCENARIO = NoisyTenant()
