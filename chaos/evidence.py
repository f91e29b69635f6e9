"""What is left when a scenario is over: the history, and what the database, letters and log say."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from chaos.history import Fault, History, Operation, number_of
from chaos.town import Town
from idp import audit_inspection
from idp.audit_chain import AuditEvent
from idp.directory.memberships import Membership
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.senders import InboxMessage

_CANARY = re.compile(r"canary-(\w+)")


@dataclass
class Evidence:
    """`audit` counts the events of each operation by their tag, and `events` all of a tag: a proxy
    in front says itself where requests come from. `guesses` has, for each person, the moments at
    which a wrong password was evaluated, of which there may be `limit` before a pause. `letters`
    are the tenant of who got it, and the tenants whose canaries are in it; `broken_chains` those of
    the audit log that are not whole."""

    history: History
    audit: Counter[tuple[int, str]] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    guesses: dict[str, list[float]] = field(default_factory=dict)
    letters: list[tuple[str, set[str]]] = field(default_factory=list)
    log: str = ""
    broken_chains: list[str] = field(default_factory=list)
    limit: int = 5

    @property
    def operations(self) -> list[Operation]:
        return self.history.operations

    @property
    def faults(self) -> list[Fault]:
        return self.history.faults


def gather(town: Town, history: History) -> Evidence:
    held = town.running.held
    held.database.close()  # connections of before may have ended
    evidence = Evidence(history, limit=held.settings.lockout_threshold)
    evidence.log = town.running.log.read_text(errors="replace")
    with held.database.engine.connect() as connection:
        events = connection.execute(
            sa.select(
                AuditEvent.at, AuditEvent.tag, AuditEvent.address, AuditEvent.detail, User.email
            )
            .outerjoin(User, User.id == AuditEvent.actor_id)
            .where(AuditEvent.at >= min((each.start for each in history.operations), default=0.0))
            .order_by(AuditEvent.at)
        )
        for at, tag, address, detail, email in events:
            _take(evidence, float(at), str(tag), str(address), detail, str(email))
        evidence.letters = [
            (str(tenant), set(_CANARY.findall(f"{subject} {body}")))
            for tenant, subject, body in connection.execute(_LETTERS)
        ]
    if town.is_behind_proxy:
        evidence.audit.clear()
    reports = audit_inspection.inspect_all(held.database)
    evidence.broken_chains = [str(each) for each in reports if each.faults]
    return evidence


_LETTERS = (
    sa.select(Tenant.slug, InboxMessage.subject, InboxMessage.body)
    .join(User, User.email == InboxMessage.recipient)
    .join(Membership, Membership.user_id == User.id)
    .join(Tenant, Tenant.id == Membership.tenant_id)
)


def _take(
    evidence: Evidence, at: float, tag: str, address: str, detail: dict[str, Any], email: str
) -> None:
    evidence.events[tag] += 1
    number = number_of(address)
    if number is not None:
        evidence.audit[number, tag] += 1
    if tag == "sign_in.failed" and detail.get("reason") == "wrong password":
        evidence.guesses.setdefault(email, []).append(at)
