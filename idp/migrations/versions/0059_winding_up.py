"""What a large company's people held is let go of after its end, in batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenant_endings", sa.Column("wound_up_at", sa.Double()))
    op.execute("UPDATE tenant_endings SET wound_up_at = ended_at")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
