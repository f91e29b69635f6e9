"""People are found by words and listed by name, in tenants of any size."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.columns import ByteText
from idp.directory.person_words import sort_name, words_of
from idp.migrations import row_security

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 1000
_MEMBERS = sa.table("memberships", *map(sa.column, ("id", "tenant_id", "user_id", "sort_name")))
_USERS = sa.table("users", *map(sa.column, ("id", "name", "email_canonical")))
_WORDS = sa.table("person_words", *map(sa.column, ("tenant_id", "word", "membership_id")))
_SORT_BY = (
    sa.update(_MEMBERS)
    .where(_MEMBERS.c.id == sa.bindparam("member"))
    .values(sort_name=sa.bindparam("name"))
)


def upgrade() -> None:
    op.add_column(
        "memberships", sa.Column("sort_name", ByteText, nullable=False, server_default="")
    )
    op.create_table(
        "person_words",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("word", ByteText, nullable=False),
        sa.Column("membership_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            name=op.f("fk_person_words_membership_id_memberships"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "word", "membership_id", name=op.f("pk_person_words")),
    )
    _find_who_is_there(op.get_bind())
    op.create_index("ix_person_words_member", "person_words", ["membership_id", "word"])
    op.drop_index("ix_memberships_tenant_id", table_name="memberships")
    for name, column in (("by_status", "status"), ("by_kind", "kind")):
        columns = ["tenant_id", column, "sort_name", "id"]
        op.create_index(f"ix_memberships_{name}", "memberships", columns)
    op.create_index("ix_memberships_by_end", "memberships", ["tenant_id", "ends_at"])
    op.create_index("ix_memberships_by_name", "memberships", ["tenant_id", "sort_name", "id"])
    row_security.enable("person_words")


def _find_who_is_there(connection: sa.Connection) -> None:
    last = ""
    everybody = sa.select(
        _MEMBERS.c.id, _MEMBERS.c.tenant_id, _USERS.c.name, _USERS.c.email_canonical
    ).join_from(_MEMBERS, _USERS, _USERS.c.id == _MEMBERS.c.user_id)
    while True:
        batch = everybody.where(_MEMBERS.c.id > last).order_by(_MEMBERS.c.id).limit(BATCH)
        rows = connection.execute(batch).all()
        if not rows:
            return
        connection.execute(
            _SORT_BY,
            [{"member": row.id, "name": sort_name(row.name, row.email_canonical)} for row in rows],
        )
        connection.execute(
            sa.insert(_WORDS),
            [
                {"tenant_id": row.tenant_id, "word": word, "membership_id": row.id}
                for row in rows
                for word in words_of(row.name, row.email_canonical)
            ],
        )
        last = rows[-1].id


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
