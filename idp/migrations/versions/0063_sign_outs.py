"""The sign-ins of a suspended company are ended in batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations.row_security import enable

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant_sign_outs",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("products_told", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_tenant_sign_outs_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenant_sign_outs"),
    )
    enable("tenant_sign_outs")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
