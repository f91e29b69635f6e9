"""What a large company's people held is let go of after its end, in batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenant_endings", sa.Column("wound_up_at", sa.Double()))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
