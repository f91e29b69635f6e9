"""The words that people are found by carry their place in the order; and row-level security asks
for the transaction's setting once for each query, in a form that the planner takes for no rarity.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.columns import ByteText
from idp.migrations import row_security

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OF_ONE_TENANT = (
    *("roles", "role_permissions", "membership_roles", "memberships", "invitations"),
    *("tenant_endings", "tenant_ending_files", "operator_visits", "domains", "branding"),
    *("people_imports", "people_import_lines", "documents", "audit_events"),
)
_MEMBERS = sa.table("memberships", *map(sa.column, ("id", "sort_name")))
_OLD = sa.table("person_words", *map(sa.column, ("tenant_id", "word", "membership_id")))
_NEW = sa.table(
    "new_person_words", *map(sa.column, ("tenant_id", "word", "sort_name", "membership_id"))
)


def upgrade() -> None:
    op.create_table(
        "new_person_words",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("word", ByteText, nullable=False),
        sa.Column("sort_name", ByteText, nullable=False),
        sa.Column("membership_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            name="fk_person_words_membership_id_memberships",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            *("tenant_id", "word", "sort_name", "membership_id"), name="pk_new_person_words"
        ),
    )
    known = sa.select(_OLD.c.tenant_id, _OLD.c.word, _MEMBERS.c.sort_name, _OLD.c.membership_id)
    known = known.join(_MEMBERS, _MEMBERS.c.id == _OLD.c.membership_id)
    op.execute(
        sa.insert(_NEW).from_select(list(_NEW.c.keys()), known.order_by(*known.selected_columns))
    )
    op.drop_table("person_words")
    op.rename_table("new_person_words", "person_words")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_new_person_words RENAME TO pk_person_words")
    columns = ["membership_id", "tenant_id", "word"]
    op.create_index("ix_person_words_member", "person_words", columns)
    op.drop_index("ix_users_operators", table_name="users")
    op.create_index(
        "ix_users_operators",
        "users",
        ["id"],
        postgresql_where=sa.text("is_operator"),
        sqlite_where=sa.text("is_operator = 1"),  # as a query has it
    )
    row_security.enable("person_words")
    for table in OF_ONE_TENANT:
        row_security.compare_once(table)
    row_security.compare_once("access_requests", "tenant_id", "receiving_tenant_id")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
