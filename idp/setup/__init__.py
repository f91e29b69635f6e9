"""Declarative set-up: products, clients, tenants, roles and people from one file.

`parse` reads it, `apply` makes the directory like it (twice is as good as once), `export` writes
the same form back. docs/setup.schema.json describes the file.
"""

from __future__ import annotations

from idp.registration.changes import Applied, Change
from idp.setup.applying import apply
from idp.setup.demonstration import (
    DEMO_PASSWORD,
    apply_demo,
    demo_people,
    people_outside_the_demo,
)
from idp.setup.exporting import export, to_yaml
from idp.setup.form import SetupFile
from idp.setup.reading import json_schema, load, parse, read

__all__ = [
    "DEMO_PASSWORD",
    "Applied",
    "Change",
    "SetupFile",
    "apply",
    "apply_demo",
    "demo_people",
    "export",
    "json_schema",
    "load",
    "parse",
    "people_outside_the_demo",
    "read",
    "to_yaml",
]
