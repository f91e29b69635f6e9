"""Which clients have tokens bound to a key of theirs (RFC 9449), and to which a grant is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bound: sa.Column[bool] = sa.Column(
        "dpop_bound_access_tokens", sa.Boolean(), server_default=sa.false(), nullable=False
    )
    op.add_column("clients", bound)
    key: sa.Column[str] = sa.Column("jkt", sa.Text(), nullable=True)
    op.add_column("grants", key)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
