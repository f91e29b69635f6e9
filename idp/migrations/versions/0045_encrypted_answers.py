"""How userinfo and introspection are signed for a client, and what is encrypted to its key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

NAMES = (
    *("id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    *("authorization_encrypted_response_alg", "authorization_encrypted_response_enc"),
    "userinfo_signed_response_alg",
    *("userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    *("introspection_encrypted_response_alg", "introspection_encrypted_response_enc"),
)


def upgrade() -> None:
    for name in NAMES:
        op.add_column("clients", sa.Column(name, sa.Text()))
    signed_by: sa.Column[str] = sa.Column(
        "introspection_signed_response_alg", sa.Text(), server_default="RS256", nullable=False
    )
    op.add_column("clients", signed_by)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
