"""Clients that register themselves: what lets them, what they are held to, and what they tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, nothing in (("default_acr_values", "[]"), ("information", "{}")):
        column: sa.Column[str] = sa.Column(name, sa.Text(), server_default=nothing, nullable=False)
        op.add_column("clients", column)
    op.create_table(
        "initial_access_tokens",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("token_hash", sa.Text(), nullable=False, unique=True),
        sa.Column("product_key", sa.Text(), sa.ForeignKey("products.key"), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double()),
    )
    op.create_table(
        "client_registrations",
        sa.Column(
            "client_id",
            sa.Text(),
            sa.ForeignKey("clients.client_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column(
            "initial_token", sa.Text(), sa.ForeignKey("initial_access_tokens.name"), nullable=False
        ),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("software_statement", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
