"""Codes that were never redeemed are deleted with those that were.

Their own index was written twice in each sign-on, and read once a minute.
"""

from __future__ import annotations

from idp.migrations.expansion import drop_index

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_index("ix_grants_unspent")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
