"""The audit log as admins read their company's, and operators the platform's (product.md T9, T10).

Whoever may read is asked first, also of what is streamed later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit
from idp.audit import Entry
from idp.audit_chain import PLATFORM
from idp.database import Database
from idp.directory import paging, person, users
from idp.directory.acting import Administration, NotFound
from idp.directory.operating import Operation
from idp.directory.users import User, canonical_email
from idp.secret_values import SecretKeys

PAGE = 50
EXPORT_PAGE = 500

Reader = Administration | Operation
Bound = tuple[str, ...]


class Wanted(NamedTuple):
    """An empty field narrows nothing. `tag` is the beginning of one, `who` an e-mail address or a
    person's id; `since` and `until` are times."""

    tag: str = ""
    who: str = ""
    since: float | None = None
    until: float | None = None


class Told(NamedTuple):
    """`actor` is the name, and `email` the address, of the person who did it, if they are known."""

    entry: Entry
    actor: str
    email: str


class Page(NamedTuple):
    """`next` is the cursor of the page that follows, None on the last one."""

    events: list[Told]
    next: str | None


def chain_of(reader: Reader) -> str:
    """Which chain it is that they may read. Raises Forbidden."""
    if isinstance(reader, Administration):
        reader.check("audit.read")
        return reader.tenant.id
    reader.check("platform.audit")
    return PLATFORM


def events(
    reader: Reader, keys: SecretKeys, wanted: Wanted, cursor: str = "", size: int = PAGE
) -> Page:
    """The newest first. Raises Forbidden, or CursorRefused."""
    bound = ("audit", *map(str, wanted))
    older = _older(reader, keys, bound, cursor)
    narrowed = _narrowed(reader, wanted)
    if narrowed is None:
        return Page([], None)
    return _page(reader, keys, bound, narrowed, size, older)


def of_person(
    admin: Administration, keys: SecretKeys, member: str, cursor: str = "", size: int = PAGE
) -> Page:
    """What happened to one member here, the newest first, whoever did it. Raises Forbidden,
    NotFound, or CursorRefused."""
    whose = person.member(admin, member).user_id
    bound = ("history", whose)
    older = _older(admin, keys, bound, cursor)
    return _page(admin, keys, bound, audit.Wanted(person=whose), size, older)


def _older(reader: Reader, keys: SecretKeys, bound: Bound, cursor: str) -> int | None:
    chain = chain_of(reader)
    return int(paging.opened(keys, chain, bound, cursor)[0]) if cursor else None


def _page(
    reader: Reader,
    keys: SecretKeys,
    bound: Bound,
    narrowed: audit.Wanted,
    size: int,
    older: int | None,
) -> Page:
    chain = chain_of(reader)
    found = audit.search(reader.db, chain, narrowed, size, older)
    following = found.older and paging.seal(keys, chain, bound, (found.older,))
    return Page(_told(reader, found.entries), following or None)


def event(reader: Reader, name: str) -> Told:
    """By the name that `Entry.name` gives it. Raises Forbidden, or NotFound."""
    chain = chain_of(reader)
    seq = name.partition("-")[0]
    found = audit.find(reader.db, chain, int(seq)) if _is_number(seq) else None
    if found is None or found.name != name:
        raise NotFound("no event of that name in this chain")
    return _told(reader, [found])[0]


def every_event(reader: Reader, wanted: Wanted) -> Iterator[list[Told]]:
    """A page at a time, for an export that goes on when the reader's transaction has ended."""
    chain, narrowed = chain_of(reader), _narrowed(reader, wanted)
    told = {name: value for name, value in wanted._asdict().items() if value not in ("", None)}
    record_export(reader, **{"as": "csv"}, wanted=told)
    return _pages(reader.database, chain, narrowed) if narrowed else iter(())


def record_export(reader: Reader, **detail: Any) -> None:
    """In a transaction of its own, since one that reads writes nothing."""
    with reader.database.transaction() as db:
        replace(reader, db=db).record("audit.exported", **detail)


def _pages(database: Database, chain: str, narrowed: audit.Wanted) -> Iterator[list[Told]]:
    older: int | None = None
    while True:
        with database.connection() as db:
            found = audit.search(db, chain, narrowed, EXPORT_PAGE, older)
        with database.session(read_only=True) as rows:
            names = _names(rows, found.entries)
        yield [_named(entry, names) for entry in found.entries]
        if found.older is None:
            return
        older = found.older


def _narrowed(reader: Reader, wanted: Wanted) -> audit.Wanted | None:
    """None where nobody can be meant."""
    narrowed = audit.Wanted(tag=wanted.tag)
    if wanted.who:
        actor = _person(reader, wanted.who)
        if actor is None:
            return None
        narrowed = narrowed._replace(actor=actor)
    if wanted.since is not None:
        narrowed = narrowed._replace(since=wanted.since)
    if wanted.until is not None:
        narrowed = narrowed._replace(until=wanted.until)
    return narrowed


def _person(reader: Reader, who: str) -> str | None:
    if "@" not in who:
        return who
    found = users.find_by_email(reader.db, canonical_email(who) or "")
    return found.id if found else None


def _told(reader: Reader, entries: list[Entry]) -> list[Told]:
    names = _names(reader.rows, entries)
    return [_named(entry, names) for entry in entries]


def _names(rows: Any, entries: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    ids = {entry.actor_id for entry in entries if entry.actor_id}
    found = rows.execute(sa.select(User.id, User.name, User.email).where(User.id.in_(ids)))
    return {row.id: (row.name, row.email) for row in found}


def _named(entry: Entry, names: dict[str, tuple[str, str]]) -> Told:
    return Told(entry, *names.get(entry.actor_id or "", ("", "")))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
