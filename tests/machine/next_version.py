"""The version that follows this one: the same but for migrations."""

from __future__ import annotations

from pathlib import Path

import idp
from idp.schema_version import HEAD

MIGRATION = """
import sqlalchemy as sa
from alembic import op

from idp.migrations.expansion import add_index, drop_index, end_older_versions

revision, down_revision = "{revision}", "{before}"


def upgrade():
    {body}
"""


def next_version(folder: Path, *migrations: str) -> Path:
    """A tree to be imported from, with one more migration for each of these bodies."""
    package, versions = Path(idp.__path__[0]), versions_of(folder)
    versions.mkdir(parents=True)
    for own in (package, package / "migrations", package / "migrations" / "versions"):
        for each in own.iterdir():
            place = folder / "idp" / each.relative_to(package)
            if not place.exists():
                place.symlink_to(each)
    (folder / "templates").symlink_to(package.parent / "templates")
    for number, body in enumerate(migrations, 1):
        revision, before = revision_after(number), revision_after(number - 1)
        text = MIGRATION.format(revision=revision, before=before, body=body)
        (versions / f"{revision}_next.py").write_text(text)
    return folder


def versions_of(tree: Path) -> Path:
    return tree / "idp" / "migrations" / "versions"


def revision_after(number: int) -> str:
    """So many after this version's."""
    return f"{int(HEAD) + number:04}"
