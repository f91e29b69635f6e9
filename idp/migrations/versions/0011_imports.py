"""Imports of people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WORDS = ("id", "tenant_id", "started_by", "locale", "state")
LINE_WORDS = ("import_id", "tenant_id", "email", "kind", "roles")


def upgrade() -> None:
    op.create_table(
        "people_imports",
        *(sa.Column(name, sa.Text(), nullable=False) for name in WORDS),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("created_at", "locked_until")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_people_imports_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_imports")),
    )
    _index("uq_people_imports_id_tenant", "id", "tenant_id", unique=True)
    _index("ix_people_imports_by_time", "tenant_id", "created_at")
    _index("ix_people_imports_due", "state", "locked_until")
    op.create_table(
        "people_import_lines",
        *(sa.Column(name, sa.Text(), nullable=False) for name in LINE_WORDS),
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("plan", "outcome", "reason")),
        sa.ForeignKeyConstraint(
            ["import_id", "tenant_id"],
            ["people_imports.id", "people_imports.tenant_id"],
            name=op.f("fk_people_import_lines_import_id_people_imports"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_people_import_lines")),
    )
    for table in ("people_imports", "people_import_lines"):
        row_security.enable(table)


def _index(name: str, *columns: str, unique: bool = False) -> None:
    op.create_index(name, "people_imports", list(columns), unique=unique)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
