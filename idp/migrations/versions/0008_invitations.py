"""Invitations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WORDS = ("id", "email", "email_canonical", "kind", "role_ids", "token_hash", "locale")


def upgrade() -> None:
    op.create_table(
        "invitations",
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*WORDS, "tenant_id")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("created_at", "expires_at")),
        *(sa.Column(name, sa.Double()) for name in ("accepted_at", "revoked_at")),
        sa.Column("invited_by", sa.Text()),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_invitations_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index("ix_invitations_by_time", "invitations", ["tenant_id", "created_at", "id"])
    op.create_index("ix_invitations_by_address", "invitations", ["tenant_id", "email_canonical"])
    row_security.enable("invitations")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
