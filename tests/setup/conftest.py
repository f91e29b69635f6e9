"""A provider with an empty directory, and a short way to apply a file to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from idp import migrations
from idp.database import Base, Database
from idp.provider import Provider
from idp.provider import provider as new_provider
from idp.settings import Settings
from idp.setup import Applied, apply, parse
from idp.setup.form import SetupFile

NOW = 1_800_000_000.0
SECRET = "a-client-secret-that-nobody-guesses-0123456789"
PASSWORD = "violet-harmonica-27-teapots"


@dataclass
class Reader:
    """A folder for set-up files, and what reads them."""

    folder: Path

    def read(self, content: dict[str, Any] | str, **variables: str) -> SetupFile:
        path = self.folder / "setup.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return parse(path, variables)


@dataclass
class Desk(Reader):
    """Where an operator sits: a folder, a provider, and a clock."""

    provider: Provider
    now: float = NOW

    def apply(self, content: dict[str, Any] | str, *, dry_run: bool = False) -> Applied:
        file = self.read(content)
        return apply(self.provider, file, self.now, base_dir=self.folder, dry_run=dry_run)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with self.provider.database.engine.connect() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=str)
                for table in Base.metadata.sorted_tables
            }

    def files(self) -> list[str]:
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return sorted(str(path) for path in found if path.suffix in (".secret", ".draft"))


def provider_at(url: str, folder: Path) -> Provider:
    settings = Settings(database_url=url, keys_dir=folder / "keys")
    return new_provider(replace(settings, argon2_memory_kib=8, argon2_time_cost=1))


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and no rows, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "latchkey.db"
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    database.close()
    return path


@pytest.fixture
def new_desk(tmp_path: Path, empty_sqlite: Path) -> Iterator[Callable[..., Desk]]:
    """`new_desk()` on a fresh SQLite file, `new_desk(url)` on that database."""
    made: list[Desk] = []

    def new(url: str = "") -> Desk:
        folder = tmp_path / f"desk-{len(made)}"
        folder.mkdir()
        if not url:
            copy(empty_sqlite, folder / "latchkey.db")
        provider = provider_at(url or f"sqlite:///{folder / 'latchkey.db'}", folder)
        migrations.upgrade(provider.database)
        made.append(Desk(folder, provider))
        return made[-1]

    yield new
    for desk in made:
        desk.provider.database.close()


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


def small() -> dict[str, Any]:
    """A product with a client, a tenant with a role, and a person: made anew for each caller."""
    return {
        "products": [
            {
                "key": "loans",
                "name": "Loans",
                "permissions": [
                    {
                        "key": "navigation",
                        "name": "Navigation",
                        "children": [
                            {"key": "loans.read", "name": "See loans"},
                            {"key": "loans.write", "name": "Change loans"},
                        ],
                    }
                ],
            }
        ],
        "clients": [
            {
                "client_id": "loans-web",
                "client_name": "Loans",
                "product": "loans",
                "client_secret": SECRET,
                "redirect_uris": ["https://loans.example/callback"],
            }
        ],
        "tenants": [
            {
                "slug": "acme",
                "name": "Acme",
                "roles": [
                    {"key": "agent", "name": "Agent", "permissions": {"loans": ["loans.read"]}}
                ],
            }
        ],
        "users": [
            {
                "email": "mia@acme.example",
                "name": "Mia Lund",
                "password": PASSWORD,
                "memberships": [{"tenant": "acme", "roles": ["agent"]}],
            }
        ],
    }


def with_everything_changed() -> dict[str, Any]:
    content = small()
    content["products"][0] |= {"name": "Lending", "permissions": [{"key": "a", "name": "A"}]}
    content["clients"][0] |= {"first_party": True, "client_secret": SECRET[::-1]}
    content["tenants"][0] |= {"status": "suspended", "policy": {"session_idle_minutes": 5}}
    content["tenants"][0]["roles"][0]["permissions"] = {"loans": ["a"]}
    content["users"][0] |= {"status": "disabled", "operator": True}
    content["users"][0]["memberships"][0] |= {"status": "disabled", "roles": []}
    return content
