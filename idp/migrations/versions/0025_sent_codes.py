"""Codes by SMS and by e-mail, and where they are sent."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sent_code_factors",
        *_words("user_id", "channel", "id"),
        sa.Column("number", sa.Text()),
        sa.Column("enrolled_at", sa.Double(), nullable=False),
        sa.Column("last_used_at", sa.Double()),
        _of("sent_code_factors"),
        sa.PrimaryKeyConstraint("user_id", "channel", name=op.f("pk_sent_code_factors")),
        sa.UniqueConstraint("id", name=op.f("uq_sent_code_factors_id")),
    )
    key = ("user_id", "channel", "purpose", "binding")
    op.create_table(
        "sent_codes",
        *_words(*key, "destination", "mac"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        _of("sent_codes"),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_sent_codes")),
    )
    op.create_index("ix_sent_codes_expires_at", "sent_codes", ["expires_at"])


def _words(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _of(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id_users")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
