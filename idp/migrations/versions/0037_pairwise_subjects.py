"""What clients call people: the same everywhere, or in their sector alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    subject_type: sa.Column[str] = sa.Column(
        "subject_type", sa.Text(), server_default="public", nullable=False
    )
    op.add_column("clients", subject_type)
    op.add_column("clients", sa.Column("sector_identifier_uri", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
