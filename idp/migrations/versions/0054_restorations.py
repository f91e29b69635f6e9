"""When the database was restored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restorations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("restored_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_restorations"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
