"""Other OpenID providers to sign in with, the accounts that are linked there, and which products
take them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "products",
        sa.Column("identity_providers", sa.Text(), server_default="", nullable=False),
    )
    op.add_column(
        "products",
        sa.Column("refuses_federated", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_table(
        "identity_providers",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("hosted_domain", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_identity_providers")),
    )
    op.create_table(
        "linked_accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("provider_key", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.Double(), nullable=False),
        sa.Column("last_used_at", sa.Double()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            op.f("fk_linked_accounts_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linked_accounts")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_linked_accounts_issuer")),
        sa.UniqueConstraint("user_id", "issuer", name=op.f("uq_linked_accounts_user_id")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
