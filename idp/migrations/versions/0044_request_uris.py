"""From where clients have their request objects fetched (OpenID Connect Core section 6.2)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[str] = sa.Column(
        "request_uris", sa.Text(), server_default="[]", nullable=False
    )
    op.add_column("clients", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
