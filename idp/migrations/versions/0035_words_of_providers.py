"""What of a grant other providers have said: who it is, and by which words of a second factor; and
the end of what was linked at a provider that is another issuer by now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A second factor from before, which nobody else raises, has no words, and so counts no more;
    `amr` tells such by `mfa` beside a first factor alone."""
    for name in ("vouched_by", "second_factor_by", "second_factor_words"):
        op.add_column("grants", sa.Column(name, sa.Text()))
    op.execute("UPDATE grants SET vouched_by = provider_key WHERE provider_key IS NOT NULL")
    op.execute(
        "UPDATE grants SET second_factor_by = coalesce(provider_key, ''), second_factor_words = ''"
        " WHERE amr IN ('fed mfa', 'fed mfa pwd')"
    )

    # The issuer that a provider of the platform's was before: nobody links at it any more.
    op.execute(
        "DELETE FROM linked_accounts WHERE EXISTS (SELECT 1 FROM identity_providers p"
        " WHERE p.key = linked_accounts.provider_key AND p.issuer <> linked_accounts.issuer)"
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
