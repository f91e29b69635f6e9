"""What people allow one by one, by product, and which clients may ask for it (RFC 9396)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("products", "clients"):
        column: sa.Column[str] = sa.Column(
            "authorization_details_types", sa.Text(), server_default="[]", nullable=False
        )
        op.add_column(table, column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
