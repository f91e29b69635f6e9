"""Of an address, the link before the newest that opens an account is good too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sign_up_links") as links:
        for name in ("former_token_hash", "former_product_key", "former_locale"):
            links.add_column(sa.Column(name, sa.Text()))
        links.add_column(sa.Column("former_expires_at", sa.Double()))
        links.create_unique_constraint(
            op.f("uq_sign_up_links_former_token_hash"), ["former_token_hash"]
        )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
