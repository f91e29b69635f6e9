"""Whom a request that is made elsewhere is about, and how a client signs those (CIBA)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("decoupled_requests") as table:
        about: sa.Column[str] = sa.Column("user_id", sa.Text(), nullable=True)
        table.add_column(about)
        table.create_foreign_key(
            op.f("fk_decoupled_requests_user_id_users"),
            *("users", ["user_id"], ["id"]),
            ondelete="CASCADE",
        )
        table.create_index(op.f("ix_decoupled_requests_user_id"), ["user_id"])
    signed: sa.Column[str] = sa.Column(
        "backchannel_authentication_request_signing_alg", sa.Text(), nullable=True
    )
    op.add_column("clients", signed)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
