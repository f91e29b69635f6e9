"""The people of a tenant: who is there, in order of name, narrowed to what is looked for.

What it costs is bounded whatever is looked for: a condition that few meet is gathered first and
then put in order; where many meet all of them, the order is walked until the page is full.
"""

from __future__ import annotations

from collections.abc import Sequence
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

Found = sa.Select[str, str]  # sort name and id of memberships


class Condition(NamedTuple):
    """Who meets it: the ids of their memberships, and these with their sort names."""

    ids: sa.Select[str]
    found: Found


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
    return found(admin, keys, wanted, cursor, size)


def found(admin: Administration, keys: SecretKeys, wanted: Wanted, cursor: str, size: int) -> Page:
    """For rules, which check what they need themselves. Raises CursorRefused."""
    bound = ("people", *wanted)
    after = paging.opened(keys, admin.tenant.id, bound, cursor) if cursor else None
    meant = _found(admin, wanted)
    if meant is None:
        return Page([], None)
    rows = admin.rows.execute(_listed(meant, after, size + 1), {"now": admin.now}).all()
    names = _role_names(admin, [row.id for row in rows[:size]])
    people = [
        Listed._make((row.id, row.user_id, *row[3:], tuple(names.get(row.id, ()))))
        for row in rows[:size]
    ]
    if len(rows) <= size:
        return Page(people, None)
    last = rows[size - 1]
    return Page(people, paging.seal(keys, admin.tenant.id, bound, (last.sort_name, last.id)))


def meets(admin: Administration, wanted: Wanted) -> sa.ColumnElement[bool]:
    """Whether a membership is among those, for a statement about all of them at once. It needs
    `now`."""
    words = folded(wanted.search).split() if len(wanted.search) <= MAX_SEARCH else []
    if wanted.search.strip() and not 0 < len(words) <= MAX_SEARCH_WORDS:
        return sa.false()
    met: list[sa.ColumnElement[bool]] = [
        Membership.id.in_(_with_word(admin, word).ids) for word in words
    ]
    if wanted.role:
        met.append(Membership.id.in_(_with_role(admin, wanted.role).ids))
    if wanted.status:
        met.append(sa.literal(wanted.status) == STATUS_NOW)
    if wanted.kind:
        met.append(Membership.kind == wanted.kind)
    return sa.and_(sa.true(), *met)


def _listed(found: Found, after: Sequence[Any] | None, size: int) -> sa.Select[Any]:
    """So many of those who were found, behind the place `after`: what is shown of somebody is read
    for nobody else."""
    sort_name, member = found.selected_columns
    if after is not None:
        found = found.where(sa.tuple_(*map(sa.literal, after)) < sa.tuple_(sort_name, member))
    page = found.order_by(sort_name, member).limit(size).subquery()
    sort_name, member = page.columns
    return (
        sa.select(
            Membership.id,
            Membership.user_id,
            sort_name,
            User.name,
            User.email,
            Membership.kind,
            STATUS_NOW,
            Membership.source,
            User.status,
        )
        .join_from(page, Membership, Membership.id == member)
        .join(User, User.id == Membership.user_id)
        .order_by(sort_name, member)
    )


def _found(admin: Administration, wanted: Wanted) -> Found | None:
    """Everybody who is meant: their sort name and their membership's id. None where nobody can
    be."""
    words = folded(wanted.search).split() if len(wanted.search) <= MAX_SEARCH else []
    if wanted.search.strip() and not 0 < len(words) <= MAX_SEARCH_WORDS:
        return None
    conditions = [_with_word(admin, word) for word in words]
    if wanted.role:
        conditions.append(_with_role(admin, wanted.role))
    counted = sorted(((_how_many(admin, each), each) for each in conditions), key=lambda e: e[0])
    rarest_first = [each for _, each in counted]
    if counted and counted[0][0] <= FEW:
        return _gathered(admin, wanted, rarest_first)
    return _in_order(admin, wanted, rarest_first)


def _gathered(admin: Administration, wanted: Wanted, conditions: list[Condition]) -> Found:
    """The few who meet the first condition, put in order; then the others are asked about one after
    the other, until there are enough."""
    few = conditions[0].found.distinct()
    ordered = few.order_by(*few.selected_columns).offset(0).subquery()
    sort_name, member = ordered.columns
    is_one = sa.select(Membership.id).where(Membership.tenant_id == admin.tenant.id)
    if wanted.status:
        is_one = is_one.where(sa.literal(wanted.status) == STATUS_NOW)
    if wanted.kind:
        is_one = is_one.where(Membership.kind == wanted.kind)
    asked = [is_one, *(each.ids for each in conditions[1:])]
    return sa.select(sort_name, member).where(*(_holds(each, member) for each in asked))


def _in_order(admin: Administration, wanted: Wanted, conditions: list[Condition]) -> Found:
    """Many meet each condition, so one after the other is asked, and the page is soon full."""
    found = sa.select(Membership.sort_name, Membership.id)
    found = found.where(Membership.tenant_id == admin.tenant.id)
    if wanted.status:
        found = found.where(*_with_status(admin, wanted.status))
    if wanted.kind:
        found = found.where(Membership.kind == wanted.kind)
    return found.where(*(_holds(each.ids, Membership.id) for each in conditions))


def _holds(ids: sa.Select[Any], member: Any) -> sa.ColumnElement[bool]:
    """Looked up for one membership at a time: a value of its own, where a planner would make a join
    of an EXISTS and gather everybody who meets it."""
    is_theirs = ids.selected_columns[0] == member
    one: sa.Select[Any] = ids.with_only_columns(sa.literal_column("1")).where(is_theirs).limit(1)
    return one.correlate(member.table).scalar_subquery() == sa.literal_column("1")


def _with_status(admin: Administration, status: str) -> list[sa.ColumnElement[bool]]:
    """An end that has come counts, whoever has noticed."""
    own = sa.select(Membership.id).where(Membership.tenant_id == admin.tenant.id)
    if status == ENDED:
        over = own.where(Membership.ends_at <= admin.now)
        return [Membership.id.in_(over.union_all(own.where(Membership.status == ENDED)))]
    is_running = sa.or_(Membership.ends_at.is_(None), Membership.ends_at > admin.now)
    return [Membership.status == status, is_running]


def _with_word(admin: Administration, word: str) -> Condition:
    ids = sa.select(PersonWord.membership_id).where(
        PersonWord.tenant_id == admin.tenant.id,
        PersonWord.word >= word,
        PersonWord.word < word + LAST,
    )
    return Condition(ids, ids.with_only_columns(PersonWord.sort_name, PersonWord.membership_id))


def _with_role(admin: Administration, key: str) -> Condition:
    role_id = admin.rows.scalar(sa.select(Role.id).where(Role.key == key))
    ids = sa.select(MembershipRole.membership_id).where(MembershipRole.role_id == (role_id or ""))
    sort_name = sa.select(Membership.sort_name).where(Membership.id == MembershipRole.membership_id)
    place = sort_name.scalar_subquery().label("sort_name")
    return Condition(ids, ids.with_only_columns(place, MembershipRole.membership_id))


def _how_many(admin: Administration, condition: Condition) -> int:
    """Counted no further than matters."""
    some = condition.ids.limit(FEW + 1).subquery()
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
