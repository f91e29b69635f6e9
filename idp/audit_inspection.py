"""Is a chain of the audit log whole, as the database has it? What is in the wrong history, or under
no name, no pass over a chain finds: that is looked for besides (`audit_walk`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain as one_after_another
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.audit_chain import (
    FIRST,
    PLATFORM,
    STARTED,
    AuditEvent,
    ChainHead,
    Event,
    Head,
)
from idp.audit_concerns import person_of
from idp.audit_walk import (
    ASTRAY,
    BEGUN_ANEW,
    HEADLESS,
    MOST,
    SET_BACK,
    STRAY,
    UNSEALED,
    Fault,
    Found,
    Walk,
)
from idp.database import Connection, Database

BATCH = 1000
LOWEST, HIGHEST = -(2**63), 2**63 - 1


class Report(NamedTuple):
    """`events` is how many the head speaks of."""

    chain: str
    events: int
    faults: list[Fault]


_TABLE: Any = AuditEvent.__table__
_PAGE = (
    sa.select(
        *(_TABLE.c[name] for name in ("id", "person_id", "seq", "digest", *Event._fields)),
    )
    .where(
        _TABLE.c.chain == sa.bindparam("chain"),
        _TABLE.c.seq >= sa.bindparam("after"),
        sa.or_(_TABLE.c.seq > sa.bindparam("after"), _TABLE.c.id > sa.bindparam("after_id")),
        _TABLE.c.seq <= sa.bindparam("until"),
    )
    .order_by(_TABLE.c.seq, _TABLE.c.id)
    .limit(BATCH)
)
_HEAD_OF = sa.select(ChainHead.chain, ChainHead.seq, ChainHead.digest, ChainHead.mac).where(
    ChainHead.chain == sa.bindparam("chain")
)
_HEADS = sa.select(ChainHead.chain, ChainHead.seq, ChainHead.digest).order_by(ChainHead.chain)
_DIGEST = sa.select(_TABLE.c.digest).where(
    _TABLE.c.chain == sa.bindparam("chain"), _TABLE.c.seq == sa.bindparam("seq")
)
_newest = (
    sa.select(_TABLE.c.chain, _TABLE.c.seq).order_by(_TABLE.c.id.desc()).limit(sa.bindparam("most"))
).subquery()
_NEWEST = sa.select(_newest.c.chain, sa.func.min(_newest.c.seq)).group_by(_newest.c.chain)
_at_the_end = sa.and_(_TABLE.c.chain == ChainHead.chain, _TABLE.c.seq == ChainHead.seq)
_ENDLESS = (
    sa.select(ChainHead.chain, ChainHead.seq)
    .outerjoin(_TABLE, _at_the_end)
    .where(_TABLE.c.digest.is_distinct_from(ChainHead.digest))
)
_some = sa.select(_TABLE.c.id).limit(sa.bindparam("most")).subquery()
_COUNT_TO = sa.select(sa.func.count()).select_from(_some)
_LAST = sa.select(sa.func.max(_TABLE.c.seq)).where(_TABLE.c.chain == sa.bindparam("chain"))
_CHAINS = sa.union(sa.select(ChainHead.chain), sa.select(_TABLE.c.chain).distinct())
_BEGINNINGS = sa.select(sa.type_coerce(_TABLE.c.detail, sa.Text)).where(
    _TABLE.c.chain == sa.literal_column(f"'{PLATFORM}'"),
    _TABLE.c.tag == sa.literal_column(f"'{STARTED}'"),
)

_IS_NAMELESS: Any = sa.literal_column("typeof(chain) <> 'text'")
_IS_PLATFORM = sa.bindparam("chain", type_=sa.Text) == PLATFORM
_STRAY_EVENTS = sa.select(sa.func.count()).where(
    sa.or_(
        sa.and_(
            _TABLE.c.chain == sa.bindparam("chain"),
            sa.literal_column("typeof(seq) <> 'integer'"),
        ),
        sa.and_(_IS_PLATFORM, _IS_NAMELESS),
    )
)
_STRAY_HEADS = sa.select(sa.func.count()).select_from(ChainHead).where(_IS_PLATFORM, _IS_NAMELESS)
_STRAYS = sa.select(_STRAY_EVENTS.scalar_subquery() + _STRAY_HEADS.scalar_subquery())


def stored(database: Database, chain: str, after: int, until: int) -> Iterator[Found]:
    """The events behind `after`, in their order; a thousand at a time are in memory. A place that
    is taken twice is told twice."""
    after_id: int | None = HIGHEST
    while True:
        with database.connection() as db:
            rows = db.rows(_PAGE, chain=chain, after=after, after_id=after_id, until=until)
        for found in map(_found, rows):
            yield found
            after, after_id = found.seq, found.id
        if len(rows) < BATCH:
            return


def _found(row: tuple[Any, ...]) -> Found:
    row_id, person_id, seq, digest, *event = row
    return Found(seq, str(digest), Event._make(event), row_id, person_id)


def sealed_head(db: Connection, chain: str) -> Head | None:
    """The chain's last event, or None where there is no chain. What is of another type than we
    write is made such that no seal fits it."""
    row = db.row(_HEAD_OF, chain=chain)
    if row is None:
        return None
    name, seq, digest, mac = row
    return Head(name, seq if isinstance(seq, int) else 0, str(digest), str(mac))


def heads(database: Database) -> list[Head]:
    with database.connection() as db:
        return [Head(*row) for row in db.rows(_HEADS)]


def set_back(database: Database, kept: Iterable[Head]) -> Iterator[Fault]:
    """What the chains do not have any more of heads that were kept elsewhere; no seal says it."""
    with database.connection() as db:
        for head in kept:
            digests = db.rows(_DIGEST, chain=head.chain, seq=head.seq)
            if digests != [(head.digest,)]:
                yield Fault(SET_BACK, head.seq, head.seq)


def inspect_all(database: Database) -> Iterator[Report]:
    """Every chain that there is, or that is told of. What tells of their beginnings is read after
    them, since chains begin while we look."""
    with database.connection() as db:
        named = [chain for (chain,) in db.rows(_CHAINS)]
        beginnings = _beginnings(db)
    chains = {chain for chain in named if isinstance(chain, str)} | set(beginnings)
    for chain in sorted(chains | {PLATFORM} if named or chains else chains):
        with database.connection() as db:
            head = sealed_head(db, chain)
        yield _inspect(database, chain, head, beginnings[chain])


def inspect_newest(database: Database, most: int) -> Iterator[Report]:
    """The newest `most` events of all with the heads of their chains, and the end of every other
    chain. What stands before the first of them in its chain is believed, and what stands in no
    order is not looked for."""
    with database.connection() as db:
        firsts = {**dict(db.rows(_ENDLESS)), **dict(db.rows(_NEWEST, most=most))}
    for chain, first in firsts.items():
        if isinstance(chain, str) and isinstance(first, int):
            yield _inspect_from(database, chain, first, most)


def _inspect_from(database: Database, chain: str, first: int, most: int) -> Report:
    with database.connection() as db:
        head = sealed_head(db, chain)
        if head is None:
            return Report(chain, 0, [Fault(HEADLESS, 0, 0)])
        last_believed = max(first - 1, head.seq - most)
        before = db.row(_DIGEST, chain=chain, seq=last_believed)
    start = Head(chain, last_believed, str(before[0]) if before else FIRST)
    return Report(chain, head.seq, _faults_between(database, start, head))


def is_longer_than(database: Database, most: int) -> bool:
    """Whether the log has more events."""
    with database.connection() as db:
        ((count,),) = db.rows(_COUNT_TO, most=most + 1)
    return bool(count > most)


def inspect(database: Database, chain: str) -> Report:
    with database.connection() as db:
        head = sealed_head(db, chain)
        beginnings = _beginnings(db)
    return _inspect(database, chain, head, beginnings[chain])


def _inspect(database: Database, chain: str, head: Head | None, beginnings: int) -> Report:
    report = _walked(database, chain, head, beginnings)
    strays = _strays(database, chain)
    return report._replace(faults=[*report.faults, *strays])


def _strays(database: Database, chain: str) -> Iterator[Fault]:
    """SQLite takes a word for a number, and bytes for a word: no order finds such a row."""
    if database.is_sqlite:
        with database.connection() as db:
            ((count,),) = db.rows(_STRAYS, chain=chain)
        if count:
            yield Fault(STRAY, count, count)


def _walked(database: Database, chain: str, head: Head | None, beginnings: int) -> Report:
    if head is None:
        with database.connection() as db:
            ((last,),) = db.rows(_LAST, chain=chain)
            has_begun_meanwhile = sealed_head(db, chain) is not None
        if has_begun_meanwhile:
            return inspect(database, chain)
        is_lost = last is not None or beginnings
        return Report(chain, 0, [Fault(HEADLESS, 0, 0)] if is_lost else [])
    faults = _faults_between(database, Head(chain, 0, FIRST), head)
    if chain != PLATFORM and beginnings != 1:
        faults.append(Fault(BEGUN_ANEW, beginnings, beginnings))
    return Report(chain, head.seq, faults)


def _faults_between(database: Database, start: Head, head: Head) -> list[Fault]:
    """Behind `start`, which is believed, and behind the head too."""
    unsealed = [] if head.is_sealed(database.seal) else [Fault(UNSEALED, head.seq, head.seq)]
    astray: list[Fault] = []
    events = _watched(stored(database, head.chain, start.seq or LOWEST, head.seq), astray)
    behind = _behind(database, head)
    faults = unsealed + Walk(start, head).faults(one_after_another(events, behind))
    doubtful = {fault.found for fault in faults}
    return faults + [fault for fault in astray if fault.found not in doubtful]


def _watched(events: Iterable[Found], astray: list[Fault]) -> Iterator[Found]:
    """Notes which of them are told in the wrong history, which no digest says."""
    for found in events:
        if len(astray) < MOST and found.person_id != _person_of(found.event):
            astray.append(Fault(ASTRAY, found.seq, found.seq, found))
        yield found


def _person_of(event: Event) -> str | None:
    try:
        return person_of(event.tag, event.actor_id, event.detail)
    except (ValueError, AttributeError):
        return None


def _behind(database: Database, head: Head) -> Iterator[Found]:
    """What stands behind the end. The head is read again after it, since events are written while
    we look; each of them with its head."""
    with database.connection() as db:
        rows = db.rows(_PAGE, chain=head.chain, after=head.seq, after_id=HIGHEST, until=HIGHEST)
        newest = sealed_head(db, head.chain) or head
    yield from (found for found in map(_found, rows) if found.seq > newest.seq)


def _beginnings(db: Connection) -> Counter[str]:
    """How often the platform's chain tells of the beginning of each."""
    return Counter(filter(None, (_chain_named(detail) for (detail,) in db.rows(_BEGINNINGS))))


def _chain_named(detail: str) -> str:
    try:
        return str(orjson.loads(detail)["chain"])
    except (ValueError, TypeError, KeyError):
        return ""
