"""An access request step by step: northwind asks for ben, an operator decides, harbor sets up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from idp import worker
from idp.audit import NOWHERE
from idp.delivery import deliver_due
from idp.directory import asking, deciding, receiving
from idp.directory.access_requests import AccessRequest, Action
from idp.directory.asking import Asked
from idp.directory.documents import looked_at
from idp.directory.operating import Operation, Operator, operation
from idp.directory.products import PLATFORM
from idp.directory.roles import Role
from idp.outbox import OutboxMessage
from tests.console.administering import administering
from tests.world import AMARA, BEN, HANA, OLU, World

SIGNED = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000053 00000 n \n"
    b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n96\n%%EOF\n"
)


@contextmanager
def operating(world: World, email: str = OLU) -> Iterator[Operation]:
    catalog = world.held.catalog.current(world.clock())
    actor = Operator(
        person(world, email), None, world.clock(), catalog.products[PLATFORM].permission_keys
    )
    with operation(world.held.database, catalog, actor, world.clock(), NOWHERE) as operated:
        yield operated


def person(world: World, email: str) -> str:
    ((user_id,),) = world.run("SELECT id FROM users WHERE email = :email", email=email)
    return str(user_id)


@dataclass
class Story:
    """Each step by who takes it in the demo, unless a test says who else."""

    world: World
    id: str = ""

    def ask(self, by: str = AMARA, slug: str = "northwind", **changed: Any) -> Story:
        asked = Asked(BEN, "Harbor Credit Union", ("lms",), "Covers for a colleague.", None)
        with administering(self.world, by, slug) as admin:
            self.id = asking.ask(admin, asked._replace(**changed)).id
        return self

    def submit(self, by: str = AMARA, data: bytes = SIGNED) -> Story:
        with administering(self.world, by) as admin:
            asking.submit(admin, self.world.held.secret_keys, self.id, looked_at(data))
        return self

    def withdraw(self, by: str = AMARA) -> Story:
        with administering(self.world, by) as admin:
            asking.withdraw(admin, self.id)
        return self

    def approve(
        self,
        by: str = OLU,
        company: str = "harbor",
        end: float | None = None,
        confirmed: str = "",
    ) -> Story:
        with operating(self.world, by) as operated:
            deciding.approve(operated, self.id, company, end, confirmed)
        return self

    def refuse(self, by: str = OLU, reason: str = "The signature is missing.") -> Story:
        with operating(self.world, by) as operated:
            deciding.refuse(operated, self.id, reason)
        return self

    def set_up(
        self, by: str = HANA, kind: str = "staff", roles: tuple[str, ...] = ("agent",)
    ) -> Story:
        with administering(self.world, by, "harbor") as admin:
            wanted = sa.select(Role.id).where(Role.key.in_(roles))
            receiving.set_up(admin, self.id, kind, list(admin.rows.scalars(wanted)))
        return self

    def end(self, by: str = AMARA) -> Story:
        with administering(self.world, by) as admin:
            asking.end(admin, self.id)
        return self

    def end_there(self, by: str = HANA) -> Story:
        with administering(self.world, by, "harbor") as admin:
            receiving.end(admin, self.id)
        return self

    def end_as_operator(self, by: str = OLU) -> Story:
        with operating(self.world, by) as operated:
            deciding.end(operated, self.id)
        return self

    def expire(self) -> Story:
        worker.expire_access(self.world.held, self.world.clock())
        return self

    def take(self, action: Action) -> Story:
        steps = {
            Action.SUBMIT: self.submit,
            Action.WITHDRAW: self.withdraw,
            Action.APPROVE: self.approve,
            Action.REFUSE: self.refuse,
            Action.SET_UP: self.set_up,
            Action.END: self.end,
        }
        return steps[action]()

    @property
    def row(self) -> AccessRequest:
        with operating(self.world) as operated:
            found = operated.rows.get(AccessRequest, self.id)
            assert found
            operated.rows.expunge(found)
            return found

    @property
    def status(self) -> str:
        return self.row.status

    def opened(self, **changed: Any) -> Story:
        """All the way to the open access."""
        return self.ask(**changed).submit().approve().set_up()


def work(world: World) -> None:
    """What the worker does, until nothing is due. No product answers in a test."""
    senders = worker.senders_of(world.held)
    while deliver_due(world.held.database, senders, worker.watch, world.clock()):
        pass


def letters(world: World) -> list[dict[str, Any]]:
    """About access requests."""
    with world.held.database.session() as session:
        wanted = sa.select(OutboxMessage).where(OutboxMessage.kind == "mail")
        found = [each.payload for each in session.scalars(wanted)]
    return [each for each in found if each["template"] == "access"]
