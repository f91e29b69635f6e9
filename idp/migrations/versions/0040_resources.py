"""The other products that a client may have tokens for (RFC 8707), and what a grant rests on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name in (("clients", "resources"), ("grants", "proofs")):
        column: sa.Column[str] = sa.Column(name, sa.Text(), server_default="{}", nullable=False)
        op.add_column(table, column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
