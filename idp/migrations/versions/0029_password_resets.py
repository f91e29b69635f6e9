"""Links and temporary passwords for who forgot theirs; letters before one becomes too old."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passwords", sa.Column("reset_by_mail_at", sa.Double()))
    op.create_table(
        "password_links",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        _of_user("password_links"),
        sa.PrimaryKeyConstraint("user_id", "purpose", name=op.f("pk_password_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_links_token_hash")),
    )
    op.create_table(
        "temporary_passwords",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double()),
        _of_user("temporary_passwords"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_temporary_passwords")),
    )
    op.create_table(
        "password_reminders",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        _of_user("password_reminders"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_password_reminders")),
    )


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id_users")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name, ondelete="CASCADE")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
