"""Which members a tenant has selected to enrol a second factor (product.md M1), and how a selection
is changed: by picks, one after the other, of people by name or of all whom a filter finds.

A selection that is not saved yet is an expression over the saved one, so that a list, a preview and
the one statement that saves it say the same, however many people it is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import people
from idp.directory.acting import Administration, Mistake
from idp.directory.memberships import HAS_NOT_ENDED, Membership
from idp.directory.people import Page, Wanted
from idp.errors import told
from idp.secret_values import SecretKeys

MOST_PICKS = 20
MOST_NAMED = 500


class Pick(NamedTuple):
    """Select them, or deselect: the memberships `ids`, or all whom `wanted` finds."""

    selected: bool
    ids: tuple[str, ...] = ()
    wanted: Wanted | None = None


Picks = tuple[Pick, ...]


class Row(NamedTuple):
    """A member of the list, and whether they are selected as it stands, saved or not."""

    person: people.Listed
    is_selected: bool


class Rows(NamedTuple):
    rows: list[Row]
    next: str | None


def listed(
    admin: Administration, keys: SecretKeys, wanted: Wanted, picks: Picks, cursor: str, size: int
) -> Rows:
    """Raises CursorRefused."""
    page: Page = people.found(admin, keys, wanted, cursor, size)
    ids = [each.id for each in page.people]
    chosen = sa.select(Membership.id).where(Membership.id.in_(ids), expression(admin, picks))
    selected = set(admin.rows.scalars(chosen, {"now": admin.now}))
    return Rows([Row(each, each.id in selected) for each in page.people], page.next)


def expression(admin: Administration, picks: Picks) -> sa.ColumnElement[bool]:
    """Whether a membership is selected after these; it needs `now`."""
    found: sa.ColumnElement[bool] = Membership.second_factor_selected.is_(sa.true())
    for pick in picks:
        met = people.meets(admin, pick.wanted) if pick.wanted else Membership.id.in_(pick.ids)
        found = sa.or_(met, found) if pick.selected else sa.and_(sa.not_(met), found)
    return found


def added(picks: Picks, pick: Pick) -> Picks:
    """With one more. People by name who are picked again are picked anew; whoever picks everybody
    forgets all before. Raises Mistake where it is too much to be kept unsaved."""
    if pick.wanted == Wanted():
        return (pick,)
    if pick.wanted is None:
        picks = tuple(_without(picks, set(pick.ids)))
    if pick.ids and picks and picks[-1].ids and picks[-1].selected == pick.selected:
        picks, pick = picks[:-1], pick._replace(ids=picks[-1].ids + pick.ids)
    picks = (*picks, pick)
    if len(picks) > MOST_PICKS or sum(len(each.ids) for each in picks) > MOST_NAMED:
        raise Mistake(picks=told("This is much at once. Save it before you go on."))
    return picks


def _without(picks: Picks, ids: set[str]) -> Iterable[Pick]:
    for pick in picks:
        left = pick._replace(ids=tuple(each for each in pick.ids if each not in ids))
        if left.wanted or left.ids:
            yield left


def changes(admin: Administration, picks: Picks) -> tuple[int, int]:
    """How many it selects, and how many it deselects."""
    if not picks:
        return 0, 0
    after = expression(admin, picks)
    counted = sa.select(
        sa.func.count().filter(after, Membership.second_factor_selected.is_(sa.false())),
        sa.func.count().filter(sa.not_(after), Membership.second_factor_selected.is_(sa.true())),
    ).where(Membership.tenant_id == admin.tenant.id, HAS_NOT_ENDED)
    more, fewer = admin.rows.execute(counted, {"now": admin.now}).one()
    return more, fewer


def save(admin: Administration, picks: Picks) -> None:
    """One statement, of everybody whom it changes."""
    after = expression(admin, picks)
    admin.rows.execute(
        sa.update(Membership)
        .where(
            Membership.tenant_id == admin.tenant.id,
            HAS_NOT_ENDED,
            Membership.second_factor_selected != after,
        )
        .values(second_factor_selected=after)
        .execution_options(synchronize_session=False),
        {"now": admin.now},
    )


def to_json(picks: Picks) -> list[dict[str, Any]]:
    return [
        {"selected": pick.selected}
        | ({"wanted": pick.wanted._asdict()} if pick.wanted else {"ids": list(pick.ids)})
        for pick in picks
    ]


def from_json(kept: Iterable[dict[str, Any]]) -> Picks:
    return tuple(
        Pick(
            each["selected"],
            tuple(each.get("ids", ())),
            Wanted(**each["wanted"]) if "wanted" in each else None,
        )
        for each in kept
    )
