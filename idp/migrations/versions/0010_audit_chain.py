"""The audit log becomes chains that are only added to; what was there is chained in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import context, op

from idp.audit_chain import FIRST, PLATFORM, STARTED, Event, Head, link
from idp.canonical_json import canonical_json
from idp.migrations import row_security

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BATCH = 1000
_EVENTS = sa.table(
    "audit_events",
    sa.column("id", sa.BigInteger),
    *(sa.column(name) for name in (*Event._fields, "chain", "seq", "digest")),
)
_HEADS = sa.table("audit_chains", *(sa.column(name) for name in Head._fields))
_CHAIN = (
    sa.update(_EVENTS)
    .where(_EVENTS.c.id == sa.bindparam("event_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("detail", "chain", "seq", "digest")})
)
_REFUSAL = "audit_events can only be added to"


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_chains")),
    )
    for column in ("at", "actor_id", "tenant_id"):
        op.drop_index(op.f(f"ix_audit_events_{column}"), table_name="audit_events")
    op.add_column("audit_events", sa.Column("chain", sa.Text()))
    op.add_column("audit_events", sa.Column("seq", sa.BigInteger()))
    op.add_column("audit_events", sa.Column("digest", sa.Text()))
    _chain_what_is_there(op.get_bind())
    with op.batch_alter_table("audit_events") as table:
        table.alter_column("chain", existing_type=sa.Text(), nullable=False)
        table.alter_column("seq", existing_type=sa.BigInteger(), nullable=False)
        table.alter_column("digest", existing_type=sa.Text(), nullable=False)
        table.create_unique_constraint(op.f("uq_audit_events_chain"), ["chain", "seq"])
    _index("ix_audit_events_by_time", "chain", "at", "seq")
    _index("ix_audit_events_by_actor", "chain", "actor_id", "at", "seq")
    _index("ix_audit_events_by_tag", "chain", "tag", "at", "seq")
    _refuse_changes(op.get_bind().dialect.name)
    row_security.enable_for_readers("audit_events")


def _index(name: str, *columns: str) -> None:
    op.create_index(name, "audit_events", list(columns), unique=False)


def _chain_what_is_there(connection: sa.Connection) -> None:
    heads: dict[str, Head] = {}
    started: list[Event] = []
    for event_id, event in _existing(connection):
        chain = event.tenant_id or PLATFORM
        if chain not in heads and chain != PLATFORM:
            started.append(_started(chain, event.at))
        head = heads[chain] = _next(heads.get(chain), chain, event)
        place = {f"new_{name}": value for name, value in _placed(event, head).items()}
        connection.execute(_CHAIN, {"event_id": event_id, **place})
    for event in started:
        head = heads[PLATFORM] = _next(heads.get(PLATFORM), PLATFORM, event)
        connection.execute(_EVENTS.insert(), {**event._asdict(), **_placed(event, head)})
    seal = context.config.attributes["seal"]
    for head in heads.values():
        connection.execute(_HEADS.insert(), head._replace(mac=seal(head.text()))._asdict())


def _existing(connection: sa.Connection) -> Iterator[tuple[int, Event]]:
    """In the order of their ids, with `detail` in its canonical form."""
    last = 0
    columns = [_EVENTS.c.id, *(_EVENTS.c[name] for name in Event._fields)]
    while True:
        batch = sa.select(*columns).where(_EVENTS.c.id > last).order_by(_EVENTS.c.id).limit(BATCH)
        rows = connection.execute(batch).all()
        for event_id, *values in rows:
            event = Event._make(values)
            detail = canonical_json(orjson.loads(event.detail)).decode()
            yield event_id, event._replace(detail=detail)
            last = event_id
        if len(rows) < BATCH:
            return


def _next(head: Head | None, chain: str, event: Event) -> Head:
    seq, previous = (head.seq + 1, head.digest) if head else (1, FIRST)
    return Head(chain, seq, link(previous, event.form(chain, seq)))


def _placed(event: Event, head: Head) -> dict[str, Any]:
    place = {"chain": head.chain, "seq": head.seq, "digest": head.digest}
    return {"detail": event.detail, **place}


def _started(chain: str, at: float) -> Event:
    detail = canonical_json({"chain": chain}).decode()
    return Event(at, STARTED, None, None, None, "", "", detail)


def _refuse_changes(dialect: str) -> None:
    """By anybody, as long as the triggers are there."""
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_events_no_{verb.lower()} BEFORE {verb} ON audit_events"
                f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE EXCEPTION '{_REFUSAL}'; END$$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE"
        " ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
