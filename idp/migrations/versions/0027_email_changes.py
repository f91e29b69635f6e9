"""Changes of an e-mail address, which the new one has to confirm and the old one can undo."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_changes",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("id", "user_id", "old_email", "new_email", "token_hash")
        ),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("withdrawn_at", sa.Double()),
        sa.Column("confirmed_at", sa.Double()),
        sa.Column("undo_hash", sa.Text()),
        sa.Column("undo_until", sa.Double()),
        sa.Column("undone_at", sa.Double()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            op.f("fk_email_changes_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_email_changes_token_hash")),
        sa.UniqueConstraint("undo_hash", name=op.f("uq_email_changes_undo_hash")),
    )
    op.create_index(op.f("ix_email_changes_user_id"), "email_changes", ["user_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
