"""What a person says of themselves: their names, language and time zone.

Products are told of it (`profile` scope), letters are written in the language, and account pages
show times in the zone. What a company or an address rests on is not in it (security.md S78).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import sqlalchemy as sa

from idp import audit
from idp.audit import Origin
from idp.database import Connection
from idp.directory import person_words
from idp.directory.users import User
from idp.directory.wording import one_line
from idp.errors import Refusal, told

MAX_NAME = 120
REGIONS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia"),
    *("Europe", "Indian", "Pacific"),
)


class Profile(NamedTuple):
    """`zoneinfo` is a name of the IANA time zone database, `locale` a language tag (BCP 47)."""

    name: str
    given_name: str
    family_name: str
    locale: str
    zoneinfo: str


class ProfileMistake(Refusal):
    """`errors` has a sentence for each field that can't be taken."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("invalid_request", "The profile can't be kept.", " ".join(errors))
        self.errors = errors


_TABLE: Any = User.__table__
_FIND = sa.select(*(_TABLE.c[name] for name in Profile._fields)).where(
    _TABLE.c.id == sa.bindparam("user_id")
)
_CHANGE = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("user_id"))
    .values({name: sa.bindparam(name) for name in (*Profile._fields, "updated_at")})
)


def get(db: Connection, user_id: str) -> Profile:
    """Of a person who exists."""
    row = db.row(_FIND, user_id=user_id)
    assert row, "no such person"
    return Profile._make(row)


def change(
    db: Connection,
    user_id: str,
    claimed: Profile,
    languages: tuple[str, ...],
    now: float,
    origin: Origin,
) -> bool:
    """Whether anything changed. A language that they have may stay. In a transaction. Raises
    ProfileMistake."""
    before = get(db, user_id)
    after = _sound(claimed, (*languages, before.locale))
    changed = {
        name: (old, new)
        for name, old, new in zip(Profile._fields, before, after, strict=True)
        if old != new
    }
    if not changed:
        return False
    db.run(_CHANGE, user_id=user_id, updated_at=now, **after._asdict())
    person_words.keep(db, user_id)
    audit.record(
        *(db, "profile.changed", now, origin),
        actor=user_id,
        before={name: old for name, (old, _) in changed.items()},
        after={name: new for name, (_, new) in changed.items()},
    )
    return True


@cache
def time_zones() -> dict[str, tuple[str, ...]]:
    """Names by region, for a choice of them."""
    known = sorted(available_timezones())
    regions = {each: tuple(n for n in known if n.startswith(f"{each}/")) for each in REGIONS}
    return {"UTC": ("UTC",), **regions}


def _sound(claimed: Profile, languages: tuple[str, ...]) -> Profile:
    """Raises ProfileMistake."""
    errors = {}
    names = {each: getattr(claimed, each) for each in ("name", "given_name", "family_name")}
    lines = {each: one_line(text, MAX_NAME) for each, text in names.items()}
    for each, line in lines.items():
        if line is None and (each == "name" or names[each].strip()):
            errors[each] = told("Enter a name in one line, of at most 120 characters.")
    if claimed.locale not in languages:
        errors["locale"] = told("Choose one of these languages.")
    if not any(claimed.zoneinfo in names for names in time_zones().values()):
        errors["zoneinfo"] = told("Choose one of these time zones.")
    if errors:
        raise ProfileMistake(errors)
    return claimed._replace(**{each: line or "" for each, line in lines.items()})
