"""Authenticator apps, recovery codes, and the count of wrong tries."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "totp_authenticators",
        *(_words("user_id", "id", "sealed_secret")),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.Double(), nullable=False),
        sa.Column("last_used_at", sa.Double()),
        _of("totp_authenticators", "users.id"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_authenticators")),
        sa.UniqueConstraint("id", name=op.f("uq_totp_authenticators_id")),
    )
    op.create_table(
        "recovery_sets",
        *(_words("user_id", "id")),
        sa.Column("made_at", sa.Double(), nullable=False),
        _of("recovery_sets", "users.id"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_recovery_sets")),
    )
    op.create_table(
        "recovery_codes",
        *(_words("code_hash", "user_id")),
        sa.Column("used_at", sa.Double()),
        _of("recovery_codes", "recovery_sets.user_id"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    op.create_table(
        "authenticator_failures",
        *(_words("authenticator_id", "user_id")),
        sa.Column("failed", sa.Integer(), nullable=False),
        _of("authenticator_failures", "users.id"),
        sa.PrimaryKeyConstraint("authenticator_id", name=op.f("pk_authenticator_failures")),
    )
    op.create_index("ix_authenticator_failures_user_id", "authenticator_failures", ["user_id"])


def _words(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _of(table: str, owner: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_user_id_{owner.partition('.')[0]}"
    return sa.ForeignKeyConstraint(["user_id"], [owner], name=op.f(name), ondelete="CASCADE")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
