"""Requests that are made elsewhere and decided in a browser: the device grant's (RFC 8628)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decoupled_requests",
        *(_words("handle_hash", "name_hash", "grant_type", "client_id", "parameters", "address")),
        sa.Column("browser", sa.Text()),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("poll_after", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.Double()),
        sa.Column("grant_id", sa.Text()),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["clients.client_id"],
            name=op.f("fk_decoupled_requests_client_id_clients"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("handle_hash", name=op.f("pk_decoupled_requests")),
        sa.UniqueConstraint("name_hash", name=op.f("uq_decoupled_requests_name_hash")),
    )
    op.create_index(op.f("ix_decoupled_requests_expires_at"), "decoupled_requests", ["expires_at"])


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
