"""Which clients a version of the catalogue is about, so that a change reads those alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalog_changes",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", "client_id", name=op.f("pk_catalog_changes")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
