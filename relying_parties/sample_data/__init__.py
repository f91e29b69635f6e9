"""Believable books for the demo's tenants: the same on every run, different for every tenant."""
