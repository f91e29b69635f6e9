"""What administration needs: ranks, cross-tenant memberships, the console's trees, walls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from idp.migrations import row_security

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TREES: dict[str, list[tuple[str, str | None, str, str]]] = {
    "console": [
        ("company-view", None, "Company view", ""),
        ("administration", "company-view", "Administration", "Opens the console"),
        ("people.read", "administration", "See people", "Who they are, their roles, their history"),
        (
            *("people.manage", "people.read", "Manage people"),
            "Invite, give roles, disable, end sessions",
        ),
        ("roles.manage", "administration", "Make and edit roles", ""),
        ("policy.manage", "administration", "Sign-in policy", "Multi-factor, passwords, sessions"),
        ("domains.manage", "administration", "Verified domains", ""),
        ("branding.manage", "administration", "Branding", "Logo, colour, names"),
        ("audit.read", "administration", "Audit log", "Read and export it"),
        (
            *("access.request", "administration", "Ask for access to another company"),
            "For one of your own people; an operator approves",
        ),
        (
            *("access.receive", "administration", "Set up people from other companies"),
            "Give them roles here, and end their access",
        ),
    ],
    "platform": [
        ("tenants.manage", None, "Tenants", ""),
        ("products.manage", None, "Products and clients", ""),
        ("keys.manage", None, "Signing keys", ""),
        ("operators.manage", None, "Operators", ""),
        ("access.decide", None, "Cross-tenant requests", ""),
        ("platform.audit", None, "Platform audit", ""),
        ("platform.health", None, "Health", ""),
    ],
}
NAMES = {
    "console": ("Console", "People, roles and sign-in rules of a company", "users-group", 1000),
    "platform": ("Platform", "Tenants, products and keys", "server-cog", 1001),
}
CHILDREN = {"role_permissions": [("role", "roles")]}
CHILDREN["membership_roles"] = [("membership", "memberships"), ("role", "roles")]


def upgrade() -> None:
    _add_columns()
    op.create_index("uq_roles_id_tenant", "roles", ["id", "tenant_id"], unique=True)
    op.create_index("uq_memberships_id_tenant", "memberships", ["id", "tenant_id"], unique=True)
    for table, parents in CHILDREN.items():
        _name_the_tenant(table, parents)
    for key in TREES:
        _add_product(key)
    op.execute("UPDATE catalog_version SET version = version + 1")
    for table in ("roles", "role_permissions", "memberships", "membership_roles"):
        row_security.enable(table)


def _add_columns() -> None:
    op.add_column("roles", sa.Column("rank", sa.Integer(), nullable=False, server_default="10"))
    op.execute("UPDATE roles SET rank = 100 WHERE all_permissions")
    op.add_column(
        "memberships", sa.Column("source", sa.Text(), nullable=False, server_default="home")
    )
    op.add_column("memberships", sa.Column("access_request_id", sa.Text()))
    op.add_column("memberships", sa.Column("only_products", sa.Text()))
    op.add_column("memberships", sa.Column("ends_at", sa.Double()))
    op.add_column(
        "products",
        sa.Column("is_platform", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def _name_the_tenant(table: str, parents: list[tuple[str, str]]) -> None:
    """Each link carries its tenant, so that both of its ends are of the same one."""
    kind, parent = parents[0]
    op.add_column(table, sa.Column("tenant_id", sa.Text()))
    link = sa.table(table, sa.column("tenant_id"), sa.column(f"{kind}_id"))
    owner = sa.table(parent, sa.column("tenant_id"), sa.column("id"))
    its_tenant = sa.select(owner.c.tenant_id).where(owner.c.id == link.c[f"{kind}_id"])
    op.execute(sa.update(link).values(tenant_id=its_tenant.scalar_subquery()))
    with op.batch_alter_table(table) as batch:
        batch.alter_column("tenant_id", existing_type=sa.Text(), nullable=False)
        for kind, parent in parents:
            name = f"fk_{table}_{kind}_id_{parent}"
            batch.drop_constraint(name, type_="foreignkey")
            batch.create_foreign_key(
                name, parent, [f"{kind}_id", "tenant_id"], ["id", "tenant_id"], ondelete="CASCADE"
            )


def _add_product(key: str) -> None:
    name, description, icon, position = NAMES[key]
    products = sa.table(
        "products",
        *(sa.column(c) for c in ("key", "name", "description", "color", "icon", "resource")),
        *(sa.column(c) for c in ("position", "is_platform")),
    )
    op.bulk_insert(
        products,
        [
            {
                "key": key,
                "name": name,
                "description": description,
                "color": "#334155",
                "icon": icon,
                "resource": f"urn:latchkey:{key}",
                "position": position,
                "is_platform": key == "platform",
            }
        ],
    )
    columns = ("product_key", "key", "parent_key", "name", "description", "position")
    op.bulk_insert(
        sa.table("permissions", *map(sa.column, columns)),
        [
            dict(zip(columns, (key, *node, place), strict=True))
            for place, node in enumerate(TREES[key])
        ],
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the upgrade")
