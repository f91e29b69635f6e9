"""Which accounts of a provider that is open to all are the company's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    hosted_domain: sa.Column[str] = sa.Column(
        "hosted_domain", sa.Text(), server_default="", nullable=False
    )
    op.add_column("company_providers", hosted_domain)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
