"""The algorithms by which clients sign, and who signs each authorization request (RFC 9101)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("token_endpoint_auth_signing_alg", "request_object_signing_alg"):
        op.add_column("clients", sa.Column(name, sa.Text(), nullable=True))
    held: sa.Column[bool] = sa.Column(
        "require_signed_request_object", sa.Boolean(), server_default=sa.false(), nullable=False
    )
    op.add_column("clients", held)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
