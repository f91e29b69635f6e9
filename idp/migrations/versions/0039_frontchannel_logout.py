"""Where browsers tell clients of sign-outs, and which clients need to know of which session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("frontchannel_logout_uri", sa.Text(), nullable=True))
    for name in ("backchannel", "frontchannel"):
        column: sa.Column[bool] = sa.Column(
            f"{name}_logout_session_required",
            *(sa.Boolean(),),
            server_default=sa.false(),
            nullable=False,
        )
        op.add_column("clients", column)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
