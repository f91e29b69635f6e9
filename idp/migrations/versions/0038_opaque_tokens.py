"""Which products take access tokens that only we can read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[str] = sa.Column(
        "access_token_format", sa.Text(), server_default="jwt", nullable=False
    )
    op.add_column("products", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
