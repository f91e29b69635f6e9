"""What is deleted is found by an index, however many rows stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_grants_session_id"), "grants", ["session_id"])
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"])
    op.create_index(op.f("ix_attempt_limits_last_failed_at"), "attempt_limits", ["last_failed_at"])
    _of_some("ix_grants_unspent", "grants", "code_expires_at", "code_used_at IS NULL")
    _of_some("ix_outbox_done", "outbox", "created_at", "status <> 'pending'")


def _of_some(name: str, table: str, column: str, condition: str) -> None:
    which = sa.text(condition)
    op.create_index(name, table, [column], sqlite_where=which, postgresql_where=which)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
