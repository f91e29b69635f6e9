"""Who and what exists: tenants, people, memberships, roles, products and their clients."""
