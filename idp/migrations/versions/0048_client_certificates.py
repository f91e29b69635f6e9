"""By which certificate a client proves itself, and which one its tokens are bound to (RFC 8705)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

NAMES = ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email")


def upgrade() -> None:
    for name in NAMES:
        named: sa.Column[str] = sa.Column(f"tls_client_auth_{name}", sa.Text(), nullable=True)
        op.add_column("clients", named)
    bound: sa.Column[bool] = sa.Column(
        "tls_client_certificate_bound_access_tokens",
        sa.Boolean(),
        server_default=sa.false(),
        nullable=False,
    )
    op.add_column("clients", bound)
    thumbprint: sa.Column[str] = sa.Column("x5t", sa.Text(), nullable=True)
    op.add_column("grants", thumbprint)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
