"""Other OpenID providers to sign in with, of the platform and of companies, the accounts that are
linked there, and which products take them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0031"
down_revision = "0030"
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
        sa.Column("company_id", sa.Text(), nullable=False),
        sa.Column("provider_key", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            op.f("fk_linked_accounts_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linked_accounts")),
        sa.UniqueConstraint(
            "company_id", "issuer", "subject", name=op.f("uq_linked_accounts_company_id")
        ),
        sa.UniqueConstraint("user_id", "provider_key", name=op.f("uq_linked_accounts_user_id")),
    )
    op.create_index(op.f("ix_linked_accounts_provider_key"), "linked_accounts", ["provider_key"])
    _add_companies_own()
    _say_when_people_were_seen()
    row = {
        "product_key": "console",
        "key": "identity_providers.manage",
        "parent_key": "administration",
        "name": "Company sign-in",
        "description": "By the company's own identity provider",
        "position": 11,
    }
    permissions = sa.table("permissions", *(sa.column(name) for name in row))
    op.execute(permissions.insert().values(row))


def _add_companies_own() -> None:
    op.create_table(
        "company_providers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "issuer", "client_id")),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("email_claim", sa.Text(), nullable=False),
        sa.Column("name_claim", sa.Text(), nullable=False),
        sa.Column("is_only_way", sa.Boolean(), nullable=False),
        sa.Column("left_out", sa.Text(), nullable=False),
        sa.Column("admits_role_id", sa.Text()),
        sa.Column("trusted_acr", sa.Text(), nullable=False),
        sa.Column("trusted_amr", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], op.f("fk_company_providers_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company_providers")),
        sa.UniqueConstraint("id", "tenant_id", name=op.f("uq_company_providers_id")),
    )
    op.create_index(op.f("ix_company_providers_tenant_id"), "company_providers", ["tenant_id"])
    op.create_table(
        "routed_domains",
        sa.Column("domain_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            op.f("fk_routed_domains_domain_id_domains"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_id", "tenant_id"],
            ["company_providers.id", "company_providers.tenant_id"],
            op.f("fk_routed_domains_provider_id_company_providers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_routed_domains")),
    )
    op.create_index(op.f("ix_routed_domains_provider_id"), "routed_domains", ["provider_id"])
    for table in ("company_providers", "routed_domains"):
        row_security.enable(table)


def _say_when_people_were_seen() -> None:
    """Until now there was nothing but our own proofs; a second factor was no older than the first,
    by all that a grant says."""
    op.add_column("grants", sa.Column("provider_key", sa.Text()))
    shown_at: sa.Column[float] = sa.Column(
        "shown_at", sa.Double(), server_default=sa.text("0"), nullable=False
    )
    op.add_column("grants", shown_at)
    op.add_column("grants", sa.Column("second_factor_at", sa.Double()))
    op.execute(
        "UPDATE grants SET shown_at = auth_time,"
        " second_factor_at = CASE WHEN acr IN ('aal2', 'phr') THEN auth_time END"
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
