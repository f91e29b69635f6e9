"""With which address and from which network a company was founded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of those that somebody has founded before, nobody knows any more."""
    op.add_column("tenants", sa.Column("founded_email", sa.Text()))
    op.add_column("tenants", sa.Column("founded_from", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
