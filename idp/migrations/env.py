"""Alembic's entry: runs on the connection that `upgrade_within` holds."""

from alembic import context

from idp.database import Base
from idp.migrations.steps import check_foreign_keys

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
    check_foreign_keys(context.get_bind())
