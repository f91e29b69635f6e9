"""Domains that companies prove to be their own; each verified for one company alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VERIFIED = sa.text("verified_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "domains",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "tenant_id", "name")),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("verified_at", sa.Double()),
        sa.Column("checked_at", sa.Double()),
        sa.Column("outcome", sa.Text()),
        sa.Column("failing_since", sa.Double()),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_domains_tenant_id_tenants"),
        sa.PrimaryKeyConstraint("id", name="pk_domains"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_domains_tenant_id"),
    )
    partial = {"sqlite_where": VERIFIED, "postgresql_where": VERIFIED}
    op.create_index("uq_domains_verified", "domains", ["name"], unique=True, **partial)  # type: ignore[arg-type]
    op.create_index("ix_domains_recheck", "domains", ["checked_at"], **partial)  # type: ignore[arg-type]
    row_security.enable("domains")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
