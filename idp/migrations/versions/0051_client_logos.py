"""Logos of clients, drawn anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_logos",
        sa.Column(
            "client_id",
            sa.Text(),
            sa.ForeignKey(
                "clients.client_id", ondelete="CASCADE", name="fk_client_logos_client_id_clients"
            ),
            nullable=False,
        ),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "uri", name="pk_client_logos"),
    )
    op.create_index("ix_client_logos_digest", "client_logos", ["digest"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
