"""Whom an event of the audit log is about, so that a person's history is one range of an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SOMEBODY = sa.text("person_id IS NOT NULL")
OF_THE_ACTOR = (
    *("sign_in.succeeded", "sign_in.failed", "sign_in.locked", "sign_in.refused"),
    *("session.ended", "tenant.chosen", "consent.given", "consent.withdrawn", "code.replayed"),
    *("refresh_token.replayed", "token.revoked", "logout.delivered", "logout.undelivered"),
)
OF_THE_NAMED = (
    *("access.asked", "access.submitted", "access.withdrawn", "access.approved"),
    *("access.refused", "access.set_up", "access.ended", "access.form_read"),
    *("invitation.accepted", "person.roles_changed", "person.disabled", "person.enabled"),
    *("person.sessions_ended", "operator.added", "operator.removed"),
)
BATCH = 1000
_EVENTS = sa.table(
    "audit_events",
    *(sa.column(name) for name in ("id", "tag", "actor_id", "detail", "person_id")),
)
_TELL = (
    sa.update(_EVENTS)
    .where(_EVENTS.c.id == sa.bindparam("event_id"))
    .values(person_id=sa.bindparam("person"))
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.add_column("audit_events", sa.Column("person_id", sa.Text()))
    with _open_to_changes(dialect):
        of_the_actor = sa.update(_EVENTS).where(_EVENTS.c.tag.in_(OF_THE_ACTOR))
        op.execute(of_the_actor.values(person_id=_EVENTS.c.actor_id))
        _list_under_the_named(op.get_bind())
    op.create_index(
        "ix_audit_events_by_person",
        "audit_events",
        ["chain", "person_id", "at", "seq"],
        sqlite_where=SOMEBODY,
        postgresql_where=SOMEBODY,
    )


def _list_under_the_named(connection: sa.Connection) -> None:
    """Read here: PostgreSQL's JSON knows no text with a NUL, which a detail may have."""
    last = 0
    while True:
        batch = sa.select(_EVENTS.c.id, _EVENTS.c.detail).where(
            _EVENTS.c.tag.in_(OF_THE_NAMED), _EVENTS.c.id > last
        )
        rows = connection.execute(batch.order_by(_EVENTS.c.id).limit(BATCH)).all()
        told = [
            {"event_id": event_id, "person": orjson.loads(detail).get("person")}
            for event_id, detail in rows
        ]
        if not told:
            return
        connection.execute(_TELL, told)
        last = told[-1]["event_id"]


@contextmanager
def _open_to_changes(dialect: str) -> Iterator[None]:
    """What refuses changes and hides rows stands aside; nothing of it is seen outside of this
    transaction, and what is hashed of an event is not touched."""
    if dialect == "postgresql":
        _alter("DISABLE TRIGGER audit_events_no_change", "NO FORCE ROW LEVEL SECURITY")
        yield
        _alter("ENABLE TRIGGER audit_events_no_change", "FORCE ROW LEVEL SECURITY")
        return
    found = sa.text(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'audit_events' AND type = 'trigger'"
    )
    triggers = op.get_bind().execute(found).all()
    for name, _ in triggers:
        op.execute(f"DROP TRIGGER {name}")
    yield
    for _, sql in triggers:
        op.execute(sql)


def _alter(*changes: str) -> None:
    for change in changes:
        op.execute(f"ALTER TABLE audit_events {change}")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
