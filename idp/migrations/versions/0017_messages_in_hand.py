"""An index of the few messages that somebody is busy sending, to pass by their receivers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

IN_HAND = sa.text("locked_until > 0")


def upgrade() -> None:
    op.create_index(
        "ix_outbox_in_hand",
        "outbox",
        ["client_id"],
        sqlite_where=IN_HAND,
        postgresql_where=IN_HAND,
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
