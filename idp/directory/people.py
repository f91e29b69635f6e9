"""The people of a tenant: who is there, in order of name, narrowed to what is looked for.

What it costs is bounded whatever is looked for: a condition that few meet is gathered first and
then put in order; where many meet all of them, the order is walked until the page is full.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import paging
from idp.directory.acting import Administration
from idp.directory.memberships import ENDED, STATUS_NOW, Membership, MembershipRole
from idp.directory.person_words import LAST, PersonWord, folded
from idp.directory.roles import Role
from idp.directory.users import User
from idp.secret_values import SecretKeys

PAGE = 50
FEW = 20_000
MAX_SEARCH = 1000
MAX_SEARCH_WORDS = 8

Matches = sa.Select[str]


class Wanted(NamedTuple):
    """An empty field narrows nothing. `search` is the beginnings of words; `role` is a key."""

    search: str = ""
    status: str = ""
    kind: str = ""
    role: str = ""


class Listed(NamedTuple):
    """`id` is the membership's. Nobody can sign in whose `user_status` is not active."""

    id: str
    user_id: str
    name: str
    email: str
    kind: str
    status: str
    source: str
    user_status: str
    roles: tuple[str, ...]


class Page(NamedTuple):
    """`next` is the cursor of the page that follows, None on the last one."""

    people: list[Listed]
    next: str | None


def people(
    admin: Administration, keys: SecretKeys, wanted: Wanted, cursor: str = "", size: int = PAGE
) -> Page:
    """Raises Forbidden, or CursorRefused."""
    admin.check("people.read")
    bound = ("people", *wanted)
    after = paging.opened(keys, admin.tenant.id, bound, cursor) if cursor else None
    statement = _statement(admin, wanted)
    if statement is None:
        return Page([], None)
    if after is not None:
        statement = statement.where(sa.tuple_(*map(sa.literal, after)) < _ORDER)
    rows = admin.rows.execute(statement.limit(size + 1), {"now": admin.now}).all()
    names = _role_names(admin, [row.id for row in rows[:size]])
    found = [
        Listed._make((row.id, row.user_id, *row[3:], tuple(names.get(row.id, ()))))
        for row in rows[:size]
    ]
    if len(rows) <= size:
        return Page(found, None)
    last = rows[size - 1]
    return Page(found, paging.seal(keys, admin.tenant.id, bound, (last.sort_name, last.id)))


_ORDER = sa.tuple_(Membership.sort_name, Membership.id)
_LISTED: sa.Select[Any] = (
    sa.select(
        Membership.id,
        Membership.user_id,
        Membership.sort_name,
        User.name,
        User.email,
        Membership.kind,
        STATUS_NOW,
        Membership.source,
        User.status,
    )
    .join(User, User.id == Membership.user_id)
    .order_by(Membership.sort_name, Membership.id)
)


def _statement(admin: Administration, wanted: Wanted) -> sa.Select[Any] | None:
    """None where nobody can be meant."""
    words = folded(wanted.search).split() if len(wanted.search) <= MAX_SEARCH else []
    if wanted.search.strip() and not 0 < len(words) <= MAX_SEARCH_WORDS:
        return None
    statement = _LISTED.where(Membership.tenant_id == admin.tenant.id)
    if wanted.status:
        statement = statement.where(*_with_status(admin, wanted.status))
    if wanted.kind:
        statement = statement.where(Membership.kind == wanted.kind)
    conditions = [_with_word(admin, word) for word in words]
    if wanted.role:
        conditions.append(_with_role(admin, wanted.role))
    return _narrowed(admin, statement, conditions)


def _with_status(admin: Administration, status: str) -> list[sa.ColumnElement[bool]]:
    """An end that has come counts, whoever has noticed."""
    own = sa.select(Membership.id).where(Membership.tenant_id == admin.tenant.id)
    if status == ENDED:
        over = own.where(Membership.ends_at <= admin.now)
        return [Membership.id.in_(over.union_all(own.where(Membership.status == ENDED)))]
    is_running = sa.or_(Membership.ends_at.is_(None), Membership.ends_at > admin.now)
    return [Membership.status == status, is_running]


def _with_word(admin: Administration, word: str) -> Matches:
    return sa.select(PersonWord.membership_id).where(
        PersonWord.tenant_id == admin.tenant.id,
        PersonWord.word >= word,
        PersonWord.word < word + LAST,
    )


def _with_role(admin: Administration, key: str) -> Matches:
    role_id = admin.rows.scalar(sa.select(Role.id).where(Role.key == key))
    return sa.select(MembershipRole.membership_id).where(MembershipRole.role_id == (role_id or ""))


def _narrowed(
    admin: Administration, statement: sa.Select[Any], conditions: list[Matches]
) -> sa.Select[Any]:
    """All conditions hold. The one that the fewest meet is gathered, if they are few."""
    counted = sorted(((_how_many(admin, each), each) for each in conditions), key=lambda e: e[0])
    for place, (count, matches) in enumerate(counted):
        if place == 0 and count <= FEW:
            statement = statement.where(Membership.id.in_(matches))
        else:
            column = matches.selected_columns[0]
            statement = statement.where(
                matches.where(column == Membership.id).correlate(Membership).exists()
            )
    return statement


def _how_many(admin: Administration, matches: Matches) -> int:
    """Counted no further than matters."""
    some = matches.limit(FEW + 1).subquery()
    return admin.rows.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _role_names(admin: Administration, membership_ids: list[str]) -> dict[str, list[str]]:
    named = (
        sa.select(MembershipRole.membership_id, Role.name)
        .join(Role, Role.id == MembershipRole.role_id)
        .where(MembershipRole.membership_id.in_(membership_ids))
        .order_by(Role.rank.desc(), Role.name)
    )
    names: dict[str, list[str]] = {}
    for membership_id, name in admin.rows.execute(named):
        names.setdefault(membership_id, []).append(name)
    return names
