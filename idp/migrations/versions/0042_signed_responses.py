"""By which algorithm each client's authorization responses are signed (JARM)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[str] = sa.Column(
        "authorization_signed_response_alg", sa.Text(), server_default="RS256", nullable=False
    )
    op.add_column("clients", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
