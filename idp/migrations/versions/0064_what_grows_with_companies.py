"""What is read of a person at each request goes by what is theirs.

SQLite, which keeps no statistics, went to the nodes of their roles through those of all companies'
roles at that product, and through all memberships to those of a person: the index of these leaves
out those that have ended, which it doesn't see that active ones have not.
"""

from __future__ import annotations

from idp.migrations.expansion import add_index, drop_index

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index("ix_memberships_user_id", "memberships", ["user_id"])
    add_index("ix_role_permissions_of_node", "role_permissions", ["permission_key", "product_key"])
    drop_index("ix_role_permissions_node")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
