"""Every address of the console and the API, and two companies to try them with: `northwind`, whose
people ask, and `harbor`, whose things they ask for. Harbor's own words carry a canary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from idp import tenancy
from idp.app import create_pages
from idp.database import Base
from idp.directory import access_requests, imports, invitations
from idp.directory.access_requests import AccessRequest
from idp.directory.operator_visits import OperatorVisit
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.secret_values import new_id
from idp.web.manage.api import Route
from idp.web.manage.api_nouns import NOUNS
from idp.web.manage.problems import PREFIX
from tests.console.administering import administering
from tests.console.calling import Caller
from tests.security.registering import initial_token
from tests.world import AMARA, BEN, HANA, VICTOR, World

OURS, THEIRS = "northwind", "harbor"
CANARY = "canary-7d1f0a"
INGRID = "ingrid@broker.example"  # in harbor alone
TEMPLATES = Path(__file__).parents[2] / "templates" / "manage"
EXTRAS = (
    *("id", "tenant_id", "tenant", "user_id", "sub", "roles", "is_admin", "is_operator"),
    *("email_verified", "mfa", "created_at", "secret", "all_permissions", "has_all", "visit_id"),
)
PASSING = ("audit_events", "ephemeral_values", "attempt_limits", "answered_requests")
TOUCHED = {"sessions": ("last_seen_at",)}
LAST = re.compile(r"/(delete|disable|end|suspend|remove|revoke)$")

# What the names in addresses stand for: one of a company's own, by its slug.
OWN = "tenant_id = (SELECT id FROM tenants WHERE slug = :slug)"
BY_EMAIL = "user_id = (SELECT id FROM users WHERE email = :email)"
PERSON = f"SELECT id FROM memberships WHERE {OWN} AND {BY_EMAIL}"
ROLE = f"SELECT id FROM roles WHERE {OWN} AND key = 'analyst'"
SESSION = f"SELECT id FROM sessions WHERE {BY_EMAIL}"
THINGS = {
    "member": PERSON,
    "role": ROLE,
    "role_id": ROLE,
    "session": SESSION,
    "invitation": f"SELECT id FROM invitations WHERE {OWN}",
    "join_request": f"SELECT id FROM join_requests WHERE {OWN}",
    "reset_id": f"SELECT id FROM factor_resets WHERE {OWN}",
    "people_import": f"SELECT id FROM people_imports WHERE {OWN}",
    "request_id": f"SELECT id FROM access_requests WHERE {OWN}",
    "provider_id": f"SELECT id FROM company_providers WHERE {OWN}",
    "domain_id": f"SELECT id FROM domains WHERE {OWN}",
    "event": f"SELECT seq || '-' || substr(digest, 1, 16) FROM audit_events WHERE {OWN}",
    "visit_id": f"SELECT id FROM operator_visits WHERE {OWN}",
    # The platform's own, which no company has.
    "client_id": "SELECT client_id FROM clients WHERE client_id = 'lms'",
    "short": "SELECT substr(secret_hash, 1, 16) FROM client_secrets WHERE client_id = 'lms'",
    "key": "SELECT key FROM products WHERE key = 'connections'",
    "node": "SELECT key FROM permissions WHERE key = 'connections.read'",
    "name": "SELECT name FROM initial_access_tokens",
    "kid": "SELECT kid FROM signing_keys ORDER BY kid",
    "user_id": "SELECT id FROM users WHERE email = :email",
    "slug": "SELECT slug FROM tenants WHERE slug = :slug",
    "company": "SELECT slug FROM tenants WHERE slug = :slug",
}
MORE = {
    "the company's id": "SELECT id FROM tenants WHERE slug = :slug",
    "a person's id": "SELECT id FROM users WHERE email = :email",
    "an address": "SELECT email FROM users WHERE email = :email",
}


@dataclass(frozen=True)
class Address:
    """`names` are the arguments besides the company's slug."""

    rule: Rule
    method: str

    @property
    def path(self) -> str:
        return self.rule.rule

    @property
    def names(self) -> list[str]:
        return [name for name in re.findall(r"<(?:\w+:)?(\w+)>", self.path) if name != "tenant"]

    @property
    def is_of_a_tenant(self) -> bool:
        return "<tenant>" in self.path

    @property
    def is_api(self) -> bool:
        return self.path.startswith(PREFIX)

    @property
    def route(self) -> Route | None:
        """How the API declares it."""
        path = self.path.removeprefix(PREFIX)
        declared = (route for noun in NOUNS for route in noun.routes)
        return next((r for r in declared if (r.path, r.method) == (path, self.method)), None)

    def filled(self, tenant: str, things: dict[str, str]) -> str:
        missing = set(self.names) - set(things)
        assert not missing, f"{self}: say in THINGS what {', '.join(missing)} stand for"
        path = self.path.replace("<tenant>", tenant)
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: things[found[1]], path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def addresses(world: World) -> list[Address]:
    """All that is the console's or the API's, what ends things last."""
    rules = create_pages(world.held).url_map.iter_rules()
    found = [
        Address(rule, method)
        for rule in rules
        if rule.rule.startswith(("/manage/", "/operate", PREFIX))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if not rule.endpoint.startswith("api_about")
    ]
    return sorted(found, key=lambda each: (bool(LAST.search(each.path)), str(each)))


@dataclass
class TwoCompanies:
    world: World
    things: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        initial_token(self.world)
        for email, tenant in ((BEN, OURS), (INGRID, THEIRS)):
            self.world.browser().tokens(email, tenant=tenant)
        self._let_an_operator_visit()
        self._invite()
        self._import()
        self._ask_for_access()
        self._name_domains()
        self._add_identity_providers()
        self._ask_for_resets()
        self._wait()
        for email, tenant in ((BEN, OURS), (INGRID, THEIRS)):
            self.things[tenant] = {
                name: self._find(name, sql, tenant, email)
                for name, sql in {**THINGS, **MORE}.items()
            }
        self._mark()

    @cached_property
    def foreign(self) -> set[str]:
        """What is harbor's alone: several names may stand for one thing, and some for one of the
        platform's."""
        ours = set(self.things[OURS].values())
        return set(self.things[THEIRS].values()) - ours

    def _ask_for_access(self) -> None:
        """Each company for somebody of its own, to a company that nobody knows; handed in, so that
        operators have it too."""
        with tenancy.every_tenant(self.world.held.database) as rows:
            for slug, email in ((OURS, BEN), (THEIRS, INGRID)):
                tenant = rows.scalars(sa.select(Tenant).where(Tenant.slug == slug)).one()
                user = rows.scalars(sa.select(User).where(User.email == email)).one()
                rows.add(_access_request(tenant.id, user.id, CANARY if slug == THEIRS else "x"))

    def _name_domains(self) -> None:
        for slug in (OURS, THEIRS):
            self.world.run(
                "INSERT INTO domains (id, tenant_id, name, challenge, created_at)"
                " SELECT 'domain-' || slug, id, slug || '.example', 'c', 0 FROM tenants"
                " WHERE slug = :slug",
                slug=slug,
            )

    def _add_identity_providers(self) -> None:
        """Each of which signs its company's domain in."""
        for slug, email in ((OURS, BEN), (THEIRS, INGRID)):
            self.world.run(
                "INSERT INTO company_providers (id, tenant_id, name, issuer, client_id,"
                " sealed_secret, email_claim, name_claim, is_only_way, left_out, admits_role_id,"
                " trusted_acr, trusted_amr, status, created_at)"
                " SELECT 'provider-' || t.slug, t.id, :name, 'https://' || t.slug || '.example',"
                " :name, 'x', 'email', 'name', false, u.id, NULL, '', '', 'active', 0"
                " FROM tenants t JOIN users u ON u.email = :email WHERE t.slug = :slug",
                name=CANARY if slug == THEIRS else "Entra",
                email=email,
                slug=slug,
            )
            self.world.run("UPDATE domains SET verified_at = 0 WHERE id = :id", id=f"domain-{slug}")
            self.world.run(
                "INSERT INTO routed_domains (domain_id, provider_id, tenant_id)"
                " SELECT id, 'provider-' || :slug, tenant_id FROM domains WHERE id = :id",
                slug=slug,
                id=f"domain-{slug}",
            )

    def _ask_for_resets(self) -> None:
        for slug, email, by in ((OURS, BEN, AMARA), (THEIRS, INGRID, HANA)):
            self.world.run(
                "INSERT INTO factor_resets"
                " (id, tenant_id, membership_id, status, asked_by, asked_at)"
                " SELECT 'reset-' || :slug, m.tenant_id, m.id, 'waiting', a.id, :now"
                " FROM memberships m JOIN users u ON u.id = m.user_id AND u.email = :email"
                " JOIN tenants t ON t.id = m.tenant_id AND t.slug = :slug"
                " JOIN users a ON a.email = :by",
                slug=slug,
                email=email,
                by=by,
                now=self.world.clock(),
            )

    def _wait(self) -> None:
        """Somebody in each who has opened an account by its domain."""
        for slug, email in ((OURS, BEN), (THEIRS, INGRID)):
            self.world.run(
                "INSERT INTO join_requests (id, tenant_id, user_id, email, status, asked_at)"
                " SELECT 'join-' || t.slug, t.id, u.id, u.email, 'waiting', :now"
                " FROM tenants t, users u WHERE t.slug = :slug AND u.email = :email",
                slug=slug,
                email=email,
                now=self.world.clock(),
            )

    def _find(self, name: str, sql: str, slug: str, email: str) -> str:
        values = {"slug": slug, "email": email}
        rows = self.world.run(sql, **{key: v for key, v in values.items() if f":{key}" in sql})
        assert rows, f"{slug} has no {name}: make one, so that it can be asked for"
        return str(rows[0][0])

    def _let_an_operator_visit(self) -> None:
        """Victor, who is nobody's operator otherwise, in both companies."""
        now = self.world.clock()
        with tenancy.every_tenant(self.world.held.database) as rows:
            for tenant_id in rows.scalars(sa.select(Tenant.id)).all():
                rows.add(
                    OperatorVisit(
                        id=new_id(),
                        tenant_id=tenant_id,
                        operator_id=rows.scalar(sa.select(User.id).where(User.email == VICTOR)),
                        reason="They asked for help",
                        started_at=now,
                        until=now + 600,
                    )
                )

    def _invite(self) -> None:
        held, now = self.world.held, self.world.clock()
        companies = self.world.run("SELECT id, name, slug FROM tenants")
        with held.database.transaction() as db:
            for company in companies:
                invitations.send(
                    db,
                    held.secret_keys,
                    tenant=tuple(company),
                    email="nadia@x.example",
                    kind="staff",
                    role_ids=[],
                    inviter=invitations.BY_FILE,
                    locale="en",
                    now=now,
                )

    def _import(self) -> None:
        for email, slug in ((AMARA, OURS), (HANA, THEIRS)):
            with administering(self.world, email, slug) as admin:
                imports.upload(admin, b"email\nx@y.example", "en")

    def _mark(self) -> None:
        """Harbor's words: the company's, its roles', its people's who are nowhere else."""
        marked = f"SET name = name || ' {CANARY}' WHERE"
        theirs = f"SELECT user_id FROM memberships WHERE {OWN}"
        others = f"SELECT user_id FROM memberships WHERE NOT {OWN}"
        for update in (
            f"UPDATE tenants {marked} slug = :slug",
            f"UPDATE roles {marked} {OWN}",
            f"UPDATE operator_visits SET reason = '{CANARY}' WHERE {OWN}",
            f"UPDATE users {marked} id IN ({theirs}) AND id NOT IN ({others})",
        ):
            self.world.run(update, slug=THEIRS)

    def mixes(self, address: Address) -> Iterator[dict[str, str]]:
        """Harbor's in one place of the path at least, northwind's in the others."""
        for number in range(1, 2 ** len(address.names)):
            yield {
                name: self.things[THEIRS if number >> place & 1 else OURS][name]
                for place, name in enumerate(address.names)
            }

    def dump(self) -> dict[str, set[str]]:
        """All rows of all tables as they lie there, but for what passes."""
        with self.world.held.database.engine.connect() as connection:
            return {
                name: {repr(tuple(row)) for row in connection.exec_driver_sql(query)}
                for name, query in self._queries.items()
            }

    @cached_property
    def _queries(self) -> dict[str, str]:
        """What reads a table, by its name."""
        dialect = self.world.held.database.engine.dialect
        return {
            table.name: str(sa.select(*_lasting(table)).compile(dialect=dialect))
            for table in Base.metadata.sorted_tables
            if table.name not in PASSING and not table.name.startswith("audit")
        }

    def check_harbor_is_untouched(
        self, before: dict[str, set[str]], what: str
    ) -> dict[str, set[str]]:
        """Of what has changed nothing was harbor's, and nothing new speaks of it; what is there
        now."""
        theirs, ours = self.things[THEIRS], self.things[OURS]
        ids = {value for name, value in theirs.items() if value not in (THEIRS, ours[name])}
        after = self.dump()
        for table, rows in after.items():
            for row in rows ^ before[table]:
                assert not any(each in row for each in ids), f"{what}: {table}: {row}"
        return after

    @cached_property
    def field_names(self) -> list[str]:
        """Of every form of the console, whichever page it is on, and some that are on none."""
        sources = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
        found = set(re.findall(r'name="([a-z_]+)"', sources))
        return sorted((found | set(EXTRAS)) - {"csrf_token"})


def _lasting(table: sa.Table) -> list[sa.Column[Any]]:
    return [each for each in table.columns if each.name not in TOUCHED.get(table.name, ())]


def csrf_token(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, "a page with a form"
    return found[1]


def send(
    caller: Caller, address: Address, path: str, body: Any = None, query: str = ""
) -> TestResponse:
    """At the API, with what its form declares as an example unless something else is said, and a
    file where it takes one."""
    route = address.route
    if body is None and route and route.body:
        body = route.body.example
    headers = {"If_Match": "*"} if route and route.current else {}
    if route and route.upload:
        (media_type, *_others), there = route.upload.media_types, path.removeprefix(PREFIX) + query
        return caller.send(there, b"email\n", media_type, address.method, **headers)
    return caller(address.method, path.removeprefix(PREFIX) + query, body, **headers)


def _access_request(tenant_id: str, user_id: str, words: str) -> AccessRequest:
    return AccessRequest(
        id=new_id(),
        tenant_id=tenant_id,
        receiving_name=words,
        receiving_key=words,
        user_id=user_id,
        products="lms",
        reason=words,
        status=access_requests.SUBMITTED,
        asked_by=user_id,
        asked_at=0.0,
        submitted_by=user_id,
        submitted_at=0.0,
    )
