"""Which clients hand in their authorization requests themselves (RFC 9126)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[bool] = sa.Column(
        "require_pushed_authorization_requests",
        sa.Boolean(),
        server_default=sa.false(),
        nullable=False,
    )
    op.add_column("clients", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
