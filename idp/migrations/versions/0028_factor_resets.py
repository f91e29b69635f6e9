"""Resets of second factors that one admin asks for and another approves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "factor_resets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("membership_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_factor_resets"),
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            name="fk_factor_resets_membership_id_memberships",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["users.id"], name="fk_factor_resets_asked_by_users"),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name="fk_factor_resets_decided_by_users"
        ),
    )
    waiting = sa.text("status = 'waiting'")
    op.create_index(
        "uq_factor_resets_waiting",
        "factor_resets",
        ["membership_id"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index(
        "ix_factor_resets_by_tenant", "factor_resets", ["tenant_id", "status", "asked_at"]
    )
    row_security.enable("factor_resets")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
