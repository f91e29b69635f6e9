"""Where clients have their public keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[str] = sa.Column("jwks_uri", sa.Text(), nullable=True)
    op.add_column("clients", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
