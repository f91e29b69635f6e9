"""A tenant's rows are reached by a session that names the tenant, and by no other (S76).

Each way to forget it is tried: it fails, or finds nothing. On PostgreSQL row-level security holds
what goes round the models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from idp import tenancy
from idp.database import Base
from idp.directory.access_requests import AccessRequest
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.roles import Role
from idp.directory.users import User
from idp.secret_values import new_id
from idp.tenancy import TenantOwned, Unscoped
from tests.world import START, World

Ask = Callable[[Session], Any]

_counted = sa.select(sa.func.count()).select_from(Role).scalar_subquery()
_inner = sa.select(Role.tenant_id).subquery()
_common = sa.select(Role.tenant_id).cte()
_alias = aliased(Role)
_table: Any = Role.__table__
_member = sa.exists().where(Membership.user_id == User.id)

BY_MODELS: dict[str, Ask] = {
    "rows": lambda s: [role.tenant_id for role in s.scalars(sa.select(Role))],
    "columns": lambda s: list(s.scalars(sa.select(Role.tenant_id))),
    "an alias": lambda s: list(s.scalars(sa.select(_alias.tenant_id))),
    "a subquery": lambda s: list(s.scalars(sa.select(_inner.c.tenant_id))),
    "a common table": lambda s: list(s.scalars(sa.select(_common.c.tenant_id))),
    "a union": lambda s: list(
        s.scalars(sa.union_all(sa.select(Role.tenant_id), sa.select(Role.tenant_id)))
    ),
    "a join": lambda s: list(
        s.scalars(sa.select(Membership.tenant_id).join(User, User.id == Membership.user_id))
    ),
    "an outer join": lambda s: [
        each
        for each in s.scalars(
            sa.select(Membership.tenant_id)
            .select_from(User)
            .outerjoin(Membership, Membership.user_id == User.id)
        )
        if each
    ],
    "rows of rows": lambda s: [
        role.tenant_id for each in s.scalars(sa.select(Membership)) for role in each.roles
    ],
}
ROUND_THE_MODELS: dict[str, Ask] = {
    "the table": lambda s: s.execute(sa.select(Role.__table__)).all(),
    "a column of the table": lambda s: s.execute(sa.select(Role.__table__.c.id)).all(),
    "the table counted": lambda s: s.execute(
        sa.select(sa.func.count()).select_from(Role.__table__)
    ).all(),
    "an update of the table": lambda s: s.execute(sa.update(_table).values(name="x")),
    "a bulk insert": lambda s: s.execute(sa.insert(Role), [{"id": "x", "tenant_id": "other"}]),
    "plain SQL": lambda s: s.execute(sa.text("SELECT id FROM roles")).all(),
}


@pytest.fixture
def tenants(either_world: World) -> dict[str, str]:
    return dict(either_world.run("SELECT slug, id FROM tenants"))


@pytest.mark.parametrize("asked", BY_MODELS)
def test_a_session_of_a_tenant_finds_its_rows_alone(
    either_world: World, tenants: dict[str, str], asked: str
) -> None:
    database, ask = either_world.held.database, BY_MODELS[asked]
    with tenancy.every_tenant(database) as everybody:
        assert set(ask(everybody)) == set(tenants.values())
    with tenancy.session(database, tenants["harbor"]) as harbor:
        assert set(ask(harbor)) == {tenants["harbor"]}


@pytest.mark.parametrize("asked", BY_MODELS | ROUND_THE_MODELS)
def test_a_session_of_no_tenant_finds_nothing_of_any(either_world: World, asked: str) -> None:
    ask = (BY_MODELS | ROUND_THE_MODELS)[asked]
    if asked == "plain SQL":
        return _plain_sql_is_for_nobody_who_did_not_say(either_world)
    with pytest.raises(Unscoped), either_world.held.database.session() as session:
        ask(session)
    return None


def _plain_sql_is_for_nobody_who_did_not_say(world: World) -> None:
    """A connection of the provider's may; one that somebody opens by hand sees nothing."""
    if world.held.database.is_sqlite:
        return
    engine = sa.create_engine(world.held.database.url.set(drivername="postgresql+psycopg"))
    with engine.connect() as stranger:
        assert stranger.execute(sa.text("SELECT count(*) FROM roles")).scalar() == 0
    engine.dispose()


@pytest.mark.parametrize("asked", ROUND_THE_MODELS)
def test_going_round_the_models_is_refused(
    either_world: World, tenants: dict[str, str], asked: str
) -> None:
    with (
        pytest.raises(Unscoped),
        tenancy.session(either_world.held.database, tenants["harbor"]) as session,
    ):
        ROUND_THE_MODELS[asked](session)


def test_rows_of_another_tenant_do_not_exist_by_their_id(
    either_world: World, tenants: dict[str, str]
) -> None:
    (foreign,) = either_world.run(
        "SELECT id FROM roles WHERE tenant_id = :t AND key = 'agent'", t=tenants["northwind"]
    )
    with tenancy.session(either_world.held.database, tenants["harbor"]) as session:
        assert session.get(Role, foreign[0]) is None
        changed = session.execute(sa.update(Role).where(Role.id == foreign[0]).values(name="mine"))
        removed = session.execute(sa.delete(Role).where(Role.id == foreign[0]))
        assert (changed.rowcount, removed.rowcount) == (0, 0)  # type: ignore[attr-defined]


def test_a_row_of_another_tenant_can_not_be_made(
    either_world: World, tenants: dict[str, str]
) -> None:
    with tenancy.session(either_world.held.database, tenants["harbor"]) as session:
        session.add(_role(tenants["northwind"]))
        with pytest.raises(Unscoped):
            session.flush()
        session.rollback()


def test_a_row_can_not_be_moved_to_another_tenant(
    either_world: World, tenants: dict[str, str]
) -> None:
    with tenancy.session(either_world.held.database, tenants["harbor"]) as session:
        role = session.scalars(sa.select(Role)).first()
        assert role is not None
        role.tenant_id = tenants["northwind"]
        with pytest.raises(Unscoped):
            session.flush()
        session.rollback()


def test_the_database_itself_refuses_another_tenants_role(
    either_world: World, tenants: dict[str, str]
) -> None:
    """Also to who may see both: the link carries one tenant for its two ends (S79)."""
    with tenancy.every_tenant(either_world.held.database) as session:
        here = sa.select(Membership).where(Membership.tenant_id == tenants["harbor"])
        there = sa.select(Role).where(Role.tenant_id == tenants["northwind"])
        membership, role = session.scalars(here).first(), session.scalars(there).first()
        assert membership
        assert role
        membership.roles.append(MembershipRole(role_id=role.id))
        with pytest.raises(sa.exc.IntegrityError):
            session.flush()
        session.rollback()


def test_a_session_is_for_at_least_one_tenant_and_never_for_all_by_accident(world: World) -> None:
    for named in ((), ("*",), ("a", "*")):
        with pytest.raises(Unscoped), tenancy.session(world.held.database, *named):
            pass


def test_every_table_with_a_tenant_is_owned_and_walled(postgres_world: World) -> None:
    """A new table with a `tenant_id` has both walls, or is named here with its reason."""
    without = {
        "clients",  # the catalogue's: read by every process, for every tenant
        "sessions",  # a person's, who may be in several; `tenant_id` is only where they were last
    }
    with_tenant = {
        table.name for table in Base.metadata.tables.values() if "tenant_id" in table.c
    } - without
    owned = {
        mapper.local_table.name  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, TenantOwned)
    }
    walled = {
        name
        for (name,) in postgres_world.run(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
        )
    }
    # Only ever read by its chain (`audit.search`), and never by its model.
    assert with_tenant - {"audit_events"} == owned
    assert walled == owned | {"audit_events"}


@pytest.mark.parametrize("table", ["roles", "memberships", "membership_roles", "role_permissions"])
def test_row_level_security_holds_what_goes_round_the_models(
    postgres_world: World, table: str
) -> None:
    """By a role that is no superuser, as the provider runs."""
    tenants = dict(postgres_world.run("SELECT slug, id FROM tenants"))
    assert postgres_world.run(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ) == [(False,)]
    with postgres_world.held.database.engine.connect() as connection:
        everybody = set(connection.execute(sa.text(f"SELECT tenant_id FROM {table}")).scalars())
        assert len(everybody) == 2
        connection.execute(
            sa.text("SELECT set_config('latchkey.tenants', :t, true)"), {"t": tenants["harbor"]}
        )
        own = set(connection.execute(sa.text(f"SELECT tenant_id FROM {table}")).scalars())
        assert own == {tenants["harbor"]}
        moved = sa.text(f"UPDATE {table} SET tenant_id = :t")
        with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
            connection.execute(moved, {"t": tenants["northwind"]})


@pytest.fixture
def between(either_world: World, tenants: dict[str, str]) -> tuple[str, str]:
    """A request of northwind's that harbor received, and one that nobody has received."""
    known, unknown = new_id(), new_id()
    with tenancy.every_tenant(either_world.held.database) as session:
        user = session.scalars(sa.select(User)).first()
        assert user
        for key, receiving in ((known, tenants["harbor"]), (unknown, None)):
            session.add(_request(key, tenants["northwind"], receiving, user.id))
    return known, unknown


def _request(key: str, asking: str, receiving: str | None, user_id: str) -> AccessRequest:
    return AccessRequest(
        id=key,
        tenant_id=asking,
        receiving_tenant_id=receiving,
        receiving_name=key,
        receiving_key=key,
        user_id=user_id,
        products="lms",
        reason="",
        status="approved",
        asked_by=user_id,
        asked_at=START,
    )


def _requests_seen_by(world: World, tenant_id: str) -> set[str]:
    with tenancy.session(world.held.database, tenant_id) as session:
        return set(session.scalars(sa.select(AccessRequest.id)))


def test_a_row_between_two_tenants_is_found_by_both_and_by_no_third(
    either_world: World, tenants: dict[str, str], between: tuple[str, str]
) -> None:
    assert _requests_seen_by(either_world, tenants["northwind"]) == set(between)
    assert _requests_seen_by(either_world, tenants["harbor"]) == {between[0]}
    assert _requests_seen_by(either_world, "a-third") == set()


def test_a_row_between_two_tenants_is_flushed_by_neither_alone(
    either_world: World, tenants: dict[str, str], between: tuple[str, str]
) -> None:
    """Each side changes its part by statements that say what may change."""
    for slug in ("northwind", "harbor"):
        with tenancy.session(either_world.held.database, tenants[slug]) as session:
            found = session.get(AccessRequest, between[0])
            assert found
            found.reason = "mine"
            with pytest.raises(Unscoped):
                session.flush()
            session.rollback()


def test_a_tenant_hands_no_row_to_another(
    either_world: World, tenants: dict[str, str], between: tuple[str, str]
) -> None:
    with tenancy.session(either_world.held.database, tenants["northwind"]) as session:
        found = session.get(AccessRequest, between[1])
        assert found
        found.receiving_tenant_id = tenants["harbor"]
        with pytest.raises(Unscoped):
            session.flush()
        session.rollback()


def test_row_level_security_shows_a_row_between_two_tenants_to_both(
    postgres_world: World,
) -> None:
    tenants = dict(postgres_world.run("SELECT slug, id FROM tenants"))
    with tenancy.every_tenant(postgres_world.held.database) as session:
        user = session.scalars(sa.select(User)).first()
        assert user
        session.add(_request("between", tenants["northwind"], tenants["harbor"], user.id))
    seen = {}
    for name, tenant_id in {**tenants, "a third": "a-third"}.items():
        with postgres_world.held.database.engine.connect() as connection:
            named = sa.text("SELECT set_config('latchkey.tenants', :t, true)")
            connection.execute(named, {"t": tenant_id})
            found = connection.execute(sa.text("SELECT count(*) FROM access_requests"))
            seen[name] = found.scalar()
    assert seen == {"northwind": 1, "harbor": 1, "a third": 0}


def _role(tenant_id: str) -> Role:
    return Role(id=new_id(), tenant_id=tenant_id, key="new", name="New", created_at=START)
