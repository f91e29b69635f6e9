"""Operators act for a tenant, for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator_visits",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "tenant_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("operator_id", "reason")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("started_at", "until")),
        sa.Column("ended_at", sa.Double()),
        sa.Column("ended_by", sa.Text()),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_operator_visits_tenant_id_tenants"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["users.id"], name="fk_operator_visits_operator_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_operator_visits"),
    )
    op.create_index(
        "ix_operator_visits_operator", "operator_visits", ["operator_id", "tenant_id", "until"]
    )
    op.create_index("ix_operator_visits_tenant", "operator_visits", ["tenant_id", "started_at"])
    row_security.enable("operator_visits")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
