"""One import of people at a time in each company; of several that were open, the newest goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("state IN ('checking', 'checked', 'running')")
CLOSE_OTHERS = """
UPDATE people_imports SET state = CASE state WHEN 'running' THEN 'done' ELSE 'dropped' END
WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (
            PARTITION BY tenant_id
            ORDER BY CASE state WHEN 'running' THEN 0 ELSE 1 END, created_at DESC, id
        ) AS place
        FROM people_imports WHERE state IN ('checking', 'checked', 'running')
    ) AS open_ones WHERE place > 1
)
"""


def upgrade() -> None:
    op.execute(CLOSE_OTHERS)
    op.create_index(
        "uq_people_imports_open",
        "people_imports",
        ["tenant_id"],
        unique=True,
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
