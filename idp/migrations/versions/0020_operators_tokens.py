"""Grants and consents of operators, who have no membership for the platform; visits that were begun
by a client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.secret_values import new_id

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ONE_STANDING = "(membership_id IS NULL) <> (operator_term IS NULL)"


def upgrade() -> None:
    _name_the_terms()
    for table in ("grants", "consents"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("operator_term", sa.Text()))
            batch.alter_column("membership_id", existing_type=sa.Text(), nullable=True)
            batch.create_check_constraint(op.f(f"ck_{table}_one_standing"), ONE_STANDING)
            if table == "consents":
                batch.create_unique_constraint(
                    "uq_consents_operator_term", ["operator_term", "client_id"]
                )
    op.add_column("operator_visits", sa.Column("client_id", sa.Text()))


def _name_the_terms() -> None:
    op.add_column("users", sa.Column("operator_term", sa.Text()))
    users = sa.table("users", *map(sa.column, ("id", "is_operator", "operator_term")))
    operators = sa.select(users.c.id).where(users.c.is_operator == sa.true())
    for user_id in op.get_bind().scalars(operators).all():
        op.execute(sa.update(users).where(users.c.id == user_id).values(operator_term=new_id()))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
