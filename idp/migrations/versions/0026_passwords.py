"""Passwords that were worn out and that were had before; locks that their
owner can lift."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "passwords", sa.Column("failures", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "passwords", sa.Column("proven_at", sa.Double(), nullable=False, server_default="0")
    )
    op.create_table(
        "former_passwords",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_former_passwords_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "hash", name="pk_former_passwords"),
    )
    op.create_table(
        "locks",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("limit_key", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], "fk_locks_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_locks"),
    )
    op.create_index("ix_locks_user_id", "locks", ["user_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
