"""Whether the platform is well: what `idp doctor` asks, and what is going on at this moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import outbox, texting
from idp.directory.operating import Operation
from idp.errors import Refusal, SetupMistake
from idp.outbox import OutboxMessage
from idp.provider import Provider
from idp.schema_version import check_schema
from idp.tokens.key_pairs import ALGORITHMS

WORKER_SEEN = "worker: last sweep"
WORKER_REMEMBERED = 7 * 86400.0
LATE = 300.0  # seconds after which a worker that sweeps every minute, or a message, is late

Check = Callable[[Provider], str | None]

_PRIVILEGES = sa.text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")


class Finding(NamedTuple):
    """`fault` says what to mend, None when all is well."""

    name: str
    fault: str | None


class Load(NamedTuple):
    """Messages that wait and since when the oldest is due, those that were given up, and when a
    worker last swept; None for never."""

    waiting: int
    waiting_since: float | None
    given_up: int
    worker_seen_at: float | None

    def is_worker_late(self, now: float) -> bool:
        return self.worker_seen_at is None or now - self.worker_seen_at > LATE

    def is_behind(self, now: float) -> bool:
        return self.waiting_since is not None and now - self.waiting_since > LATE


def examine(held: Provider, names: Iterable[str] = ()) -> list[Finding]:
    """The checks of these names, or every one of CHECKS."""
    return examine_by({name: CHECKS[name] for name in names or CHECKS}, held)


def examine_by(checks: Mapping[str, Check], held: Provider) -> list[Finding]:
    """A check that can't be made is a fault."""
    return [Finding(name, _fault(check, held)) for name, check in checks.items()]


def _fault(check: Check, held: Provider) -> str | None:
    try:
        return check(held)
    except SetupMistake as mistake:
        return str(mistake)
    except Refusal as refusal:
        return refusal.detail


def _schema(held: Provider) -> str | None:
    check_schema(held.database)
    return None


def _privileges(held: Provider) -> str | None:
    """Row-level security holds for everybody but these (docs/decisions/0016)."""
    if held.database.is_sqlite:
        return None
    with held.database.engine.connect() as connection:
        if not connection.scalar(_PRIVILEGES):
            return None
    return (
        "The provider's PostgreSQL role is a superuser or has BYPASSRLS, so that row-level security"
        " does not hold: give it a role of its own."
    )


def _ephemeral(held: Provider) -> str | None:
    held.ephemeral.ping()
    return None


def _signing_keys(held: Provider) -> str | None:
    now = held.clock()
    ring = held.key_ring.current(now)
    for alg in ALGORITHMS:
        ring.signer(alg, now)
    return None


def _catalog(held: Provider) -> str | None:
    if held.catalog.current(held.clock()).clients:
        return None
    return "No client is registered: describe your products in a file and run `idp apply FILE`."


def _mail(held: Provider) -> str | None:
    if held.settings.smtp_url or held.settings.demo_inbox:
        return None
    return "No mail can be sent: set LATCHKEY_SMTP_URL."


def _texts(held: Provider) -> str | None:
    return None if held.settings.demo_inbox else texting.fault_of(held.settings)


CHECKS: dict[str, Check] = {
    "database": _schema,
    "privileges": _privileges,
    "ephemeral": _ephemeral,
    "signing keys": _signing_keys,
    "catalog": _catalog,
    "mail": _mail,
    "text messages": _texts,
}


def load(operation: Operation, held: Provider) -> Load:
    """Raises Forbidden."""
    operation.check("platform.health")
    return _load(operation.rows, held, operation.now)


def load_now(held: Provider) -> Load:
    """The same, for whom no person asks. Raises StoreUnavailable."""
    with held.database.session(read_only=True) as rows:
        return _load(rows, held, held.clock())


def _load(rows: Session, held: Provider, now: float) -> Load:
    waiting, since = rows.execute(
        sa.select(sa.func.count(), sa.func.min(OutboxMessage.run_at)).where(
            OutboxMessage.status == outbox.PENDING
        )
    ).one()
    given_up = rows.scalar(sa.select(sa.func.count()).where(OutboxMessage.status == outbox.FAILED))
    seen = held.ephemeral.read(WORKER_SEEN, now)
    return Load(waiting, since, given_up or 0, float(seen) if seen else None)


def tell_of_worker(held: Provider, now: float) -> None:
    """A worker has swept."""
    held.ephemeral.put(WORKER_SEEN, repr(now), WORKER_REMEMBERED, now)
