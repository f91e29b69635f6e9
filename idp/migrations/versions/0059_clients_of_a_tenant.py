"""A company's clients are found by an index, however many there are."""

from __future__ import annotations

from idp.migrations.expansion import add_index

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index("ix_clients_tenant_id", "clients", ["tenant_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
