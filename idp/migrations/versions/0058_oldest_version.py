"""Which versions may serve a schema that is newer than theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oldest_version",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_oldest_version"),
    )
    op.execute(f"INSERT INTO oldest_version (revision) VALUES ('{revision}')")  # noqa: S608 - ours


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
