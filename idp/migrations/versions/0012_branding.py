"""How a company looks: its name, a colour, a logo, and what it calls the products."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "branding",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("display_name", "accent")),
        sa.Column("product_names", sa.Text(), nullable=False),
        sa.Column("logo_digest", sa.Text()),
        sa.Column("logo", sa.LargeBinary()),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_branding_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_branding"),
    )
    op.create_index("ix_branding_logo_digest", "branding", ["logo_digest"])
    row_security.enable("branding")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
