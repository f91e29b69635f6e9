"""The profile that a client is held to (FAPI 2.0)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[str] = sa.Column("profile", sa.Text(), nullable=True)
    op.add_column("clients", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
