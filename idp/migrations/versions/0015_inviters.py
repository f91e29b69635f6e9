"""By what right somebody was invited, so that it can be asked again when they accept.

Of an invitation that is older nobody knows: it is one that gives no roles, or is made anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    source = sa.Column("source", sa.Text(), nullable=False, server_default="file")
    op.add_column("invitations", source)
    op.add_column("invitations", sa.Column("client_id", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
