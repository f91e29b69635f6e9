"""Whom a change of the policy on second factors would ask to enrol, before it is saved (N1).

By the function that decides at the sign-in (`mfa.requirement`), for each member as they are now and
as they would be. Members are read in batches, and those who are alike are decided once. Of somebody
from another company this says what their host asks; what their own asks stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.columns import joined_by_space
from idp.credentials import enrolments
from idp.credentials.enrolments import Enrolment
from idp.directory import memberships, paging, users
from idp.directory.access_requests import AccessRequest
from idp.directory.acting import Administration
from idp.directory.memberships import HAS_NOT_ENDED, STATUS_NOW, Membership
from idp.directory.reach import Reach
from idp.directory.roles import Role, RolePermission
from idp.directory.users import User
from idp.policies import mfa, second_factor_selection
from idp.policies.assurance import PASSKEY, RECOVERY, SECURITY_KEY, UPSTREAM_SECOND
from idp.policies.mfa import Asking, Requirement, Side, TenantRules
from idp.policies.second_factor_selection import Picks
from idp.secret_values import SecretKeys

BATCH = 2000
NO_OTHER = frozenset({PASSKEY, SECURITY_KEY, RECOVERY, UPSTREAM_SECOND})

Owned = Sequence[Enrolment]


class Affected(NamedTuple):
    """Somebody who would be asked to enrol and is not now; `needs_a_key` if a passkey or security
    key is all that would do, so that they stay outside without one."""

    id: str
    name: str
    email: str
    kind: str
    needs_a_key: bool


class Preview(NamedTuple):
    """Of so many `members`: who are asked to enrol as it is (`now`) and would be (`then`), how many
    of these are not `new`, and how many stay outside who have no passkey. `people` are the new
    ones, in order of name; `next` is the cursor of the page that follows."""

    members: int
    now: int
    then: int
    new: int
    need_a_key: int
    people: list[Affected]
    next: str | None


class _Member(NamedTuple):
    id: str
    user_id: str
    sort_name: str
    name: str
    email: str
    kind: str
    is_selected: bool
    would_be: bool
    skipped_at: float | None
    only_products: str | None
    is_granted: bool | None
    role_ids: str | None


class _Like(NamedTuple):
    """What a requirement rests on, of a member."""

    kind: str
    is_selected: bool
    has_skipped: bool
    is_granted: bool
    only_products: str | None
    role_ids: str


def preview(
    admin: Administration,
    keys: SecretKeys,
    before: dict[str, Any],
    after: dict[str, Any],
    picks: Picks,
    cursor: str,
    size: int,
) -> Preview:
    """Of the tenant's policy as it is stored, and as it would be. Raises CursorRefused."""
    bound = ("second factor preview",)
    behind = paging.opened(keys, admin.tenant.id, bound, cursor) if cursor else ("", "")
    now, then = _Rules(admin, before), _Rules(admin, after)
    members, asked, would_be, new, need_a_key = 0, 0, 0, 0, 0
    page: list[tuple[_Member, bool]] = []
    for member, owned in _members(admin, picks):
        is_asked = now.outlook(member, member.is_selected, owned).enrols
        outlook = then.outlook(member, member.would_be, owned)
        members, asked, would_be = members + 1, asked + is_asked, would_be + outlook.enrols
        if outlook.enrols and not is_asked:
            new, need_a_key = new + 1, need_a_key + outlook.needs_a_key
            if len(page) <= size and (member.sort_name, member.id) > tuple(behind):
                page.append((member, outlook.needs_a_key))
    shown = [Affected(m.id, m.name, m.email, m.kind, key) for m, key in page[:size]]
    following = None
    if len(page) > size:
        last = page[size - 1][0]
        following = paging.seal(keys, admin.tenant.id, bound, (last.sort_name, last.id))
    return Preview(members, asked, would_be, new, need_a_key, shown, following)


class Outlook(NamedTuple):
    enrols: bool
    needs_a_key: bool


def outlook(requirements: Iterable[Requirement], owned: Owned) -> Outlook:
    """What somebody would meet who has enrolled `owned`, wherever they go."""
    unmet = [
        each
        for each in requirements
        if each.demands
        and not each.was_skipped
        and not any(each.counts(method, at) for method, at in owned)
    ]
    return Outlook(bool(unmet), any(not r.may_skip and r.methods <= NO_OTHER for r in unmet))


class _Rules:
    """A policy, by which members who are alike are decided once."""

    def __init__(self, admin: Administration, policy: dict[str, Any]) -> None:
        self._rules: TenantRules = mfa.tenant_rules(orjson.dumps(policy).decode())
        self._tenant = admin.tenant
        self._asking = _Products(admin, self._rules)
        self._requirements = lru_cache(maxsize=20_000)(self._required)

    def outlook(self, member: _Member, is_selected: bool, owned: Owned) -> Outlook:
        since = self._rules.of_kind(member.kind).since
        like = _Like(
            member.kind,
            is_selected,
            member.skipped_at is not None and member.skipped_at >= since,
            bool(member.is_granted),
            member.only_products,
            member.role_ids or "",
        )
        return outlook(self._requirements(like), owned)

    def _required(self, like: _Like) -> tuple[Requirement, ...]:
        skipped_at = self._rules.of_kind(like.kind).since if like.has_skipped else None
        who = (like.kind, like.is_selected, skipped_at)
        side = Side(self._tenant.id, self._tenant.name, self._rules, *who)
        return tuple(
            mfa.requirement(asking, (side,), is_granted=like.is_granted)
            for asking in self._asking.of(like)
        )


class _Products:
    """What may be asked for by whom: each product that demands something, and any other sign-in."""

    def __init__(self, admin: Administration, rules: TenantRules) -> None:
        self._strict = [
            product
            for product in admin.catalog.products.values()
            if product.second_factor or product.key in rules.products
        ]
        self._is_confirmed = admin.tenant.confirmed
        self._all = set(admin.rows.scalars(sa.select(Role.id).where(Role.all_permissions)))
        self._granted: dict[str, set[tuple[str, str]]] = {}
        nodes = (RolePermission.role_id, RolePermission.product_key, RolePermission.permission_key)
        for role_id, product_key, node in admin.rows.execute(sa.select(*nodes)):
            self._granted.setdefault(role_id, set()).add((product_key, node))

    def of(self, like: _Like) -> Iterator[Asking]:
        yield Asking()
        roles = like.role_ids.split()
        has_all = not self._all.isdisjoint(roles)
        reach = Reach(has_all, like.only_products, self._is_confirmed)
        for product in self._strict:
            granted = (
                node
                for role in roles
                for key, node in self._granted.get(role, ())
                if key == product.key
            )
            if reach.selected(product, granted):
                yield Asking(product)


def _members(admin: Administration, picks: Picks) -> Iterator[tuple[_Member, Owned]]:
    """Everybody who can sign in to work here, in order of name."""
    found = (
        sa.select(
            Membership.id,
            Membership.user_id,
            Membership.sort_name,
            User.name,
            User.email,
            Membership.kind,
            Membership.second_factor_selected,
            second_factor_selection.expression(admin, picks),
            Membership.second_factor_skipped_at,
            Membership.only_products,
            AccessRequest.second_factor,
            memberships.of_roles(joined_by_space(Role.id)),
        )
        .join(User, User.id == Membership.user_id)
        .outerjoin(AccessRequest, AccessRequest.id == Membership.access_request_id)
        .where(
            Membership.tenant_id == admin.tenant.id,
            HAS_NOT_ENDED,
            STATUS_NOW == memberships.ACTIVE,
            User.status == users.ACTIVE,
        )
        .order_by(Membership.sort_name, Membership.id)
        .limit(BATCH)
    )
    after: tuple[str, str] | None = None
    while True:
        batch = found
        if after is not None:
            place = sa.tuple_(Membership.sort_name, Membership.id)
            batch = found.where(sa.tuple_(*map(sa.literal, after)) < place)
        rows = admin.rows.execute(batch, {"now": admin.now}).all()
        members = [_Member._make(row) for row in rows]
        owned = enrolments.of_people(admin.rows, [member.user_id for member in members])
        yield from ((member, owned.get(member.user_id, ())) for member in members)
        if len(members) < BATCH:
            return
        after = (members[-1].sort_name, members[-1].id)
