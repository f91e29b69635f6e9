"""`python -m bench.console`: how long the console's pages take to answer over very many people.

Fills an empty database first; one that was filled before is measured as it is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import sqlalchemy as sa

from bench.browser import Browser
from bench.latchkey import serving
from bench.registry import PASSWORD
from bench.systems import System
from idp import migrations, setup
from idp.commands.serve import prepare
from idp.directory.users import User
from idp.provider import Provider, provider
from idp.settings import Settings
from idp.setup import seeding
from tests.machine.processes import LOOPBACK, free_port

ADMIN = "admin@bench.example"
OPERATOR = "operator@bench.example"
LARGEST = "company-0"
DEEP = 5  # pages further

Milliseconds = float


class Asked(NamedTuple):
    """`deep` follows the list's links to its next page before it is measured."""

    name: str
    path: str
    query: str = ""
    deep: bool = False

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


COMPANY = f"/manage/{LARGEST}"
PEOPLE = f"{COMPANY}/people"
OF_ADMINS = (
    Asked("overview", COMPANY),
    Asked("people", PEOPLE),
    Asked("people, further on", PEOPLE, deep=True),
    Asked("people: disabled", PEOPLE, "status=disabled"),
    Asked("people: ended", PEOPLE, "status=ended"),
    Asked("people: customers", PEOPLE, "kind=customer"),
    Asked("people: a common first name", PEOPLE, "search=amara"),
    Asked("people: the last first name", PEOPLE, "search=priya"),
    Asked("people: one address", PEOPLE, "search=large.example"),
    Asked("people: two words", PEOPLE, "search=pri+lop"),
    Asked("people: nobody", PEOPLE, "search=zzz"),
    Asked("people: a role", PEOPLE, "role=agent"),
    Asked("people: a rare role", PEOPLE, "role=account_admin"),
    Asked(
        "people: all at once",
        PEOPLE,
        "search=p&status=active&kind=staff&role=borrower",
    ),
    Asked("roles", f"{COMPANY}/roles"),
    Asked("invitations", f"{COMPANY}/invitations"),
    Asked("access requests", f"{COMPANY}/access"),
    Asked("access requests, receiving", f"{COMPANY}/access", "side=receiving"),
    Asked("audit log", f"{COMPANY}/audit"),
    Asked("audit log: a tag", f"{COMPANY}/audit", "tag=membership"),
    Asked("domains", f"{COMPANY}/domains"),
)
OF_OPERATORS = (
    Asked("tenants", "/operate/tenants"),
    Asked("tenants, further on", "/operate/tenants", deep=True),
    Asked("tenants: by name", "/operate/tenants", "search=company+99"),
    Asked("tenants: suspended", "/operate/tenants", "status=suspended"),
    Asked("one tenant", f"/operate/tenants/{LARGEST}"),
    Asked("what suspending does", f"/operate/tenants/{LARGEST}/suspend"),
    Asked("products", "/operate/products"),
    Asked("clients", "/operate/clients"),
    Asked("keys", "/operate/keys"),
    Asked("operators", "/operate/operators"),
    Asked("access queue", "/operate/access"),
    Asked("platform audit", "/operate/audit"),
    Asked("health", "/operate/health"),
)


@click.command()
@click.option("--database-url", required=True)
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="For keys and log.")
@click.option("--users", default=1_000_000, show_default=True)
@click.option("--tenants", default=10_000, show_default=True)
@click.option("--times", default=15, show_default=True, help="How often each page is asked for.")
def bench(database_url: str, folder: Path, users: int, tenants: int, times: int) -> None:
    """Each page in milliseconds: the median and the slowest, over one connection."""
    port = free_port()
    settings = Settings(
        issuer=f"http://{LOOPBACK}:{port}",
        port=port,
        database_url=database_url,
        keys_dir=folder / "keys",
    )
    held = provider(settings)
    migrations.upgrade(held.database)
    _fill(held, users, tenants)
    held.database.close()
    server = serving("console", settings, 0, folder)
    server.start()
    try:
        for name, took in _measured(server, times):
            print(f"{name:<34} {statistics.median(took):7.1f} {max(took):7.1f}", flush=True)
    finally:
        server.stop()


def _fill(held: Provider, users: int, tenants: int) -> None:
    with held.database.engine.connect() as connection:
        is_empty = connection.scalar(sa.select(User.id).limit(1)) is None
    if is_empty:
        seeding.seed(held.database, users, tenants, time.time(), print)
    prepare(held)
    described = setup.read(_described(), {}, "the bench's directory")
    setup.apply(held, described, time.time(), base_dir=Path())


def _described() -> dict[str, object]:
    """Somebody who looks after the largest company, and an operator."""
    known = {"password": PASSWORD, "email_verified": True}
    member = {"tenant": LARGEST, "roles": ["account_admin"]}
    return {
        "tenants": [{"slug": LARGEST, "name": "Company 0"}],
        "users": [
            {"email": ADMIN, "name": "Admin", "memberships": [member], **known},
            {"email": OPERATOR, "name": "Operator", "operator": True, **known},
        ],
    }


def _measured(server: System, times: int) -> Iterator[tuple[str, list[Milliseconds]]]:
    for email, pages in ((ADMIN, OF_ADMINS), (OPERATOR, OF_OPERATORS)):
        browser = Browser(server.port)
        browser.enter(pages[0].path, email, PASSWORD)
        for asked in pages:
            target = asked.target
            for _ in range(DEEP if asked.deep else 0):
                target = browser.next_page(target)
            yield asked.name, [_timed(browser, target) for _ in range(times)]


def _timed(browser: Browser, target: str) -> Milliseconds:
    began = time.perf_counter()
    browser.read(target)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    bench()
