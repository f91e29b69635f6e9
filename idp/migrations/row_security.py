"""Row-level security: PostgreSQL's own wall around each tenant's rows, behind that of `tenancy`.

The setting `latchkey.tenants` names the tenants of a transaction, or `*` for the provider's own
statements. A connection that has not set it sees no tenant's rows at all. Superusers, and roles
with BYPASSRLS, go round every policy: run the provider as neither (docs/operate.md).
"""

from __future__ import annotations

from alembic import op

_VISIBLE = (
    "current_setting('latchkey.tenants', true) = '*'"
    " OR {column} = ANY (string_to_array(current_setting('latchkey.tenants', true), ','))"
)


def enable(table: str, *columns: str) -> None:
    """Only rows of which one of the columns names a tenant of the transaction are there."""
    if op.get_bind().dialect.name != "postgresql":
        return
    visible = " OR ".join(_VISIBLE.format(column=column) for column in columns or ("tenant_id",))
    _enable(table)
    op.execute(f"CREATE POLICY tenants ON {table} USING ({visible})")


def enable_for_readers(table: str) -> None:
    """Rows of other tenants are not seen, and may be added: what one tenant's transaction does can
    have to be told to the platform. The setting is compared once for each query, in a form that the
    planner does not take for rare, or it would rather sort a long table than read its index."""
    if op.get_bind().dialect.name != "postgresql":
        return
    _enable(table)
    everything, _or, own = _VISIBLE.format(column="tenant_id").partition(" OR ")
    op.execute(
        f"CREATE POLICY tenants ON {table} FOR SELECT USING ((SELECT {everything}) OR {own})"
    )
    op.execute(f"CREATE POLICY additions ON {table} FOR INSERT WITH CHECK (true)")


def _enable(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
