"""Nothing counts that was granted in a company before it was suspended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column("sign_ins_valid_after", sa.Double(), nullable=False, server_default="0"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
