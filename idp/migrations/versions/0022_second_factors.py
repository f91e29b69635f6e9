"""What a sign-in has proven, method by method, and who demands a second factor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _proofs_of_sessions()
    op.add_column(
        "passwords", sa.Column("must_change", sa.Text(), nullable=False, server_default="")
    )
    for table, name in (
        ("products", "second_factor"),
        ("memberships", "second_factor_selected"),
        ("access_requests", "second_factor"),
    ):
        op.add_column(
            table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.add_column("memberships", sa.Column("second_factor_skipped_at", sa.Double()))
    op.add_column("products", sa.Column("second_factor_minutes", sa.Integer()))
    op.add_column("products", sa.Column("password_max_age_days", sa.Integer()))
    op.add_column("products", sa.Column("password_max_age_since", sa.Double()))


def _proofs_of_sessions() -> None:
    """Until now there was nothing but passwords."""
    op.add_column("sessions", sa.Column("proofs", sa.Text(), nullable=False, server_default="{}"))
    op.execute("UPDATE sessions SET proofs = '{\"password\":[' || auth_time || ',0.0]}'")
    op.drop_column("sessions", "amr")
    op.drop_column("sessions", "acr")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
