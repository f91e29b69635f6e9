"""Accounts that people open by themselves, and who waits for a company to let them in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "products", sa.Column("sign_up", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "sign_up_links",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("product_key", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_sign_up_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_up_links_token_hash")),
    )
    _join_requests()
    _former_addresses()


def _join_requests() -> None:
    op.create_table(
        "join_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_join_requests"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_join_requests_tenant_id_tenants"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_join_requests_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_join_requests_by_tenant", "join_requests", ["tenant_id", "status", "asked_at", "id"]
    )
    waiting = sa.text("status = 'waiting'")
    op.create_index(
        "uq_join_requests_waiting",
        "join_requests",
        ["user_id", "tenant_id"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    row_security.enable("join_requests")


def _former_addresses() -> None:
    op.create_table(
        "former_addresses",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "email", "user_id", name="pk_former_addresses"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_former_addresses_tenant_id_tenants"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_former_addresses_user_id_users", ondelete="CASCADE"
        ),
    )
    row_security.enable("former_addresses")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
