"""Which roles select a node is asked before the node is removed."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_role_permissions_node", "role_permissions", ["product_key", "permission_key"]
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
