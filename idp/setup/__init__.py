"""Declarative set-up: products, clients, tenants, roles and people from one file.

`parse` reads it, `apply` makes the directory like it (twice is as good as once), `export` writes
the same form back. docs/setup.schema.json describes the file.
"""

from __future__ import annotations

from pathlib import Path

from idp.setup.applying import apply
from idp.setup.changes import Applied, Change
from idp.setup.exporting import export, to_yaml
from idp.setup.form import SetupFile
from idp.setup.reading import json_schema, parse

DEMO_FILE = Path(__file__).with_name("demo.yaml")

__all__ = [
    "DEMO_FILE",
    "Applied",
    "Change",
    "SetupFile",
    "apply",
    "export",
    "json_schema",
    "parse",
    "to_yaml",
]
