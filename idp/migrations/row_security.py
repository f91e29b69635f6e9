"""Row-level security: PostgreSQL's own wall around each tenant's rows, behind that of `tenancy`.

The setting `latchkey.tenants` names the tenants of a transaction, or `*` for the provider's own
statements. A connection that has not set it sees no tenant's rows at all. Superusers, and roles
with BYPASSRLS, go round every policy: run the provider as neither (docs/operate.md).
"""

from __future__ import annotations

from alembic import op

# In subqueries of their own, so that each is asked once for a query. A planner that sees the
# comparison itself takes it for rare, and would rather sort a long table than read its index.
_EVERY = "(SELECT current_setting('latchkey.tenants', true) = '*')"
_NAMED = "(SELECT string_to_array(current_setting('latchkey.tenants', true), ','))::text[]"


def enable(table: str, *columns: str) -> None:
    """Only rows of which one of the columns names a tenant of the transaction are there."""
    if op.get_bind().dialect.name != "postgresql":
        return
    _enable(table)
    op.execute(f"CREATE POLICY tenants ON {table} USING ({_visible(columns)})")


def compare_once(table: str, *columns: str) -> None:
    """The same for a table that had it in the first form."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER POLICY tenants ON {table} USING ({_visible(columns)})")


def enable_for_readers(table: str) -> None:
    """Rows of other tenants are not seen, and may be added: what one tenant's transaction does can
    have to be told to the platform."""
    if op.get_bind().dialect.name != "postgresql":
        return
    _enable(table)
    op.execute(f"CREATE POLICY tenants ON {table} FOR SELECT USING ({_visible(())})")
    op.execute(f"CREATE POLICY additions ON {table} FOR INSERT WITH CHECK (true)")


def _visible(columns: tuple[str, ...]) -> str:
    own = (f"{column} = ANY ({_NAMED})" for column in columns or ("tenant_id",))
    return " OR ".join((_EVERY, *own))


def _enable(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
