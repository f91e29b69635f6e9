"""Requests for access to another company, and the documents that are uploaded with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OPEN = sa.text("status IN ('draft', 'submitted', 'approved', 'active')")
NOT_ENDED = sa.text("status <> 'ended'")
PEOPLE = ("asked_by", "submitted_by", "decided_by", "configured_by", "ended_by")


def upgrade() -> None:
    _make_documents()
    _make_requests()
    _let_a_membership_be_made_again()
    row_security.enable("documents")
    row_security.enable("access_requests", "tenant_id", "receiving_tenant_id")


def _make_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("uploaded_by", sa.Text(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("uploaded_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_documents_tenant_id", "documents", ["tenant_id"])


def _make_requests() -> None:
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("receiving_tenant_id", sa.Text(), sa.ForeignKey("tenants.id")),
        sa.Column("receiving_name", sa.Text(), nullable=False),
        sa.Column("receiving_key", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), sa.ForeignKey("users.id"), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("products", "reason")),
        sa.Column("wanted_end", sa.Double()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), sa.ForeignKey("documents.id")),
        *(
            sa.Column(name, sa.Text(), sa.ForeignKey("users.id"), nullable=name != "asked_by")
            for name in PEOPLE
        ),
        sa.Column("asked_at", sa.Double(), nullable=False),
        *(
            sa.Column(name, sa.Double())
            for name in ("submitted_at", "decided_at", "configured_at", "ended_at", "ends_at")
        ),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("ended_side", sa.Text()),
        sa.Column("membership_id", sa.Text(), sa.ForeignKey("memberships.id"), unique=True),
    )
    for name, columns in {
        "ix_access_requests_user_id": ["user_id"],
        "ix_access_requests_asking": ["tenant_id", "asked_at", "id"],
        "ix_access_requests_receiving": ["receiving_tenant_id", "decided_at", "id"],
        "ix_access_requests_queue": ["status", "submitted_at", "id"],
        "ix_access_requests_ends": ["status", "ends_at"],
    }.items():
        op.create_index(name, "access_requests", columns)
    op.create_index(
        "uq_access_requests_open",
        "access_requests",
        ["tenant_id", "user_id", "receiving_key"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def _let_a_membership_be_made_again() -> None:
    """One that ended stays as it is, so that nothing that it granted wakes up with a new one."""
    with op.batch_alter_table("memberships") as batch:
        batch.drop_constraint("uq_memberships_user_id", type_="unique")
    op.create_index(
        "uq_memberships_user_tenant",
        "memberships",
        ["user_id", "tenant_id"],
        unique=True,
        sqlite_where=NOT_ENDED,
        postgresql_where=NOT_ENDED,
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
