"""A consent is for one company, and a grant names the one that it rests on.

What stood for all companies at once becomes one for each that a living grant of it is for, and is
dropped where there is none: it is asked for again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.secret_values import new_id

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BATCH = 1000
_OLD = sa.table("consents", *map(sa.column, ("user_id", "client_id", "scope", "given_at")))
_NEW = sa.table(
    "new_consents", *map(sa.column, ("id", "membership_id", "client_id", "scope", "given_at"))
)
_GRANTS = sa.table(
    "grants",
    *map(sa.column, ("user_id", "client_id", "membership_id", "consent_id", "ended_at")),
)


def upgrade() -> None:
    op.add_column("grants", sa.Column("consent_id", sa.Text()))
    op.create_table(
        "new_consents",
        sa.Column("id", sa.Text()),
        sa.Column("membership_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("given_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["clients.client_id"],
            name="fk_consents_client_id_clients",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["membership_id"],
            ["memberships.id"],
            name="fk_consents_membership_id_memberships",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_new_consents"),
        sa.UniqueConstraint("membership_id", "client_id", name="uq_consents_membership_id"),
    )
    _carry_over(op.get_bind())
    op.drop_table("consents")
    op.rename_table("new_consents", "consents")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_new_consents RENAME TO pk_consents")


def _carry_over(connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.select(_GRANTS.c.membership_id, _OLD.c.client_id, _OLD.c.scope, _OLD.c.given_at)
        .distinct()
        .join(
            _GRANTS,
            sa.and_(
                _GRANTS.c.user_id == _OLD.c.user_id,
                _GRANTS.c.client_id == _OLD.c.client_id,
                _GRANTS.c.ended_at.is_(None),
            ),
        )
    )
    for batch in rows.mappings().partitions(BATCH):
        connection.execute(sa.insert(_NEW), [{"id": new_id(), **row} for row in batch])
    found = (
        sa.select(_NEW.c.id)
        .where(
            _NEW.c.membership_id == _GRANTS.c.membership_id,
            _NEW.c.client_id == _GRANTS.c.client_id,
        )
        .scalar_subquery()
    )
    connection.execute(
        sa.update(_GRANTS).where(_GRANTS.c.ended_at.is_(None)).values(consent_id=found)
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
