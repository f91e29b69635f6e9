"""What operators need: tenants in an order, their endings, visits, who the operators are."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op

from idp.columns import ByteText
from idp.migrations import row_security

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _order_tenants()
    _keep_endings()
    op.create_index(
        "ix_users_operators",
        "users",
        ["id"],
        postgresql_where=sa.text("is_operator"),
        sqlite_where=sa.text("is_operator"),
    )


def _order_tenants() -> None:
    op.add_column("tenants", sa.Column("name_folded", ByteText, nullable=False, server_default=""))
    tenants = sa.table("tenants", sa.column("id"), sa.column("name"), sa.column("name_folded"))
    rows = op.get_bind().execute(sa.select(tenants.c.id, tenants.c.name)).all()
    for key, name in rows:
        folded = unicodedata.normalize("NFKC", name).casefold()
        op.execute(sa.update(tenants).where(tenants.c.id == key).values(name_folded=folded))
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE tenants ALTER COLUMN slug TYPE text COLLATE "C"')
    op.create_index("ix_tenants_name_folded", "tenants", ["name_folded", "id"])
    op.create_index("ix_tenants_status_name_folded", "tenants", ["status", "name_folded", "id"])


def _keep_endings() -> None:
    op.create_table(
        "tenant_endings",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text()),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_tenant_endings_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenant_endings"),
    )
    op.create_table(
        "tenant_ending_files",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant_endings.tenant_id"],
            name="fk_tenant_ending_files_tenant_id_tenant_endings",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "name", name="pk_tenant_ending_files"),
    )
    for table in ("tenant_endings", "tenant_ending_files"):
        row_security.enable(table)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
