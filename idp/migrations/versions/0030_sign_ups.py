"""Accounts that people open by themselves, and who waits for a company to let them in."""

from __future__ import annotations

from contextlib import suppress

import idna
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
    _confirmed()
    _addresses()


def _addresses() -> None:
    """The one form of an address has no dot at its end any more, and its domain is as mail is
    delivered to it (UTS 46): the older rule took ß and ς for other letters. Where another account
    has that form, both stay as they are; so does what is no domain by that rule."""
    for name in ("invitations", "users"):
        table = sa.table(name, *map(sa.column, ("id", "email", "email_canonical")))
        is_old = [table.c.email_canonical.like("%.")]
        is_old += [table.c.email.like(f"%@%{letter}%") for letter in "ßẞς"]
        found = sa.select(table).where(sa.or_(*is_old))
        for key, email, canonical in op.get_bind().execute(found).all():
            with suppress(idna.IDNAError):
                _rename(table, key, _domain_of(email), canonical)


def _domain_of(email: str) -> str:
    domain = email.strip().rpartition("@")[2]
    return idna.encode(domain, uts46=True, std3_rules=True).decode().removesuffix(".")


def _rename(table: sa.TableClause, key: str, domain: str, canonical: str) -> None:
    new, other = f"{canonical.rpartition('@')[0]}@{domain}", table.alias()
    is_taken = sa.exists().where(other.c.email_canonical == new, other.c.id != key)
    renamed = sa.update(table).where(table.c.id == key).values(email_canonical=new)
    op.execute(renamed.where(~is_taken) if table.name == "users" else renamed)


def _confirmed() -> None:
    """Operators have made all that there are."""
    op.add_column("tenants", sa.Column("confirmed_at", sa.Double()))
    op.execute("UPDATE tenants SET confirmed_at = created_at")
    unconfirmed = sa.text("confirmed_at IS NULL")
    op.create_index(
        "ix_tenants_unconfirmed",
        "tenants",
        ["name_folded", "id"],
        sqlite_where=unconfirmed,
        postgresql_where=unconfirmed,
    )


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
