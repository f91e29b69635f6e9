"""Is a chain of the audit log whole? If not: which event was changed, is missing, stands in another
place, was inserted, or that the end was cut.

Events are read as a stream, of the database or of an export, and nothing of them is believed: only
where the chain begins, and its sealed end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain as one_after_another
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.audit_chain import (
    BROKEN,
    FIRST,
    PLATFORM,
    STARTED,
    AuditEvent,
    ChainHead,
    Event,
    Head,
    link,
)
from idp.audit_concerns import person_of
from idp.database import Connection, Database

BATCH = 1000
MOST = 100  # places that are looked into; after so many, the rest is not read
LOWEST, HIGHEST = -(2**63), 2**63 - 1

CHANGED = "{event} was changed, or the one before it was written anew"
MISPLACED = "{event} stands in another place: it was event {first}"
INSERTED = "{event} was inserted"
MISSING = "{which} missing"
CUT = "{which} missing: the end was cut"
REWRITTEN = "the end was written anew: event {first} is another one than was sealed"
UNSEALED = "the head does not bear our seal: it was changed, or the end was cut"
HEADLESS = "the head is missing"
SET_BACK = "event {first} is not the one that was kept: the chain was set back, or written anew"
STRAY = "rows that have no name of a chain, or no number: {first}"
ASTRAY = "{event} is listed under another person than it is about"
UNSEALED_BEFORE = "{event} says that the head before it did not bear our seal"
BEGUN_ANEW = "the platform's chain tells of its beginning {first} times: it was begun anew"
AND_MORE = "there is more, which was not looked into"


class Found(NamedTuple):
    """An event as it is shown to us, which may be a forgery. `id` is its row's, None in a file; so
    is `person_id`, in whose history it is told."""

    seq: int
    digest: str
    event: Event
    id: int | None = None
    person_id: str | None = None

    def __str__(self) -> str:
        row = "" if self.id is None else f"id {self.id}, "
        return f"event {self.seq} ({row}{_when(self.event.at)}, {self.event.tag})"

    def digest_at(self, chain: str, seq: int, previous: str) -> str:
        """The digest that it would have there; none for what nobody can have recorded."""
        try:
            return link(previous, self.event.form(chain, seq))
        except (TypeError, ValueError):
            return ""


class Fault(NamedTuple):
    """`kind` is one of the sentences above. `first` to `last` are places in the chain."""

    kind: str
    first: int
    last: int
    found: Found | None = None

    def __str__(self) -> str:
        is_one = self.first == self.last
        which = f"event {self.first} is" if is_one else f"events {self.first} to {self.last} are"
        return self.kind.format(event=self.found, first=self.first, which=which)


class Report(NamedTuple):
    """`events` is how many the head speaks of."""

    chain: str
    events: int
    faults: list[Fault]


class Place(NamedTuple):
    """Where the chain does not hold. `previous` is the digest before it; `occupant` is what stands
    there, None in a gap."""

    first: int
    last: int
    previous: str
    occupant: Found | None


@dataclass
class Walk:
    """One pass over a chain, from `start` (the event before the first) to its sealed `end`."""

    start: Head
    end: Head
    places: list[Place] = field(default_factory=list)
    strangers: list[Found] = field(default_factory=list)
    true: dict[int, str] = field(default_factory=dict)

    def faults(self, events: Iterable[Found]) -> list[Fault]:
        """In the order of their places."""
        faults = [*self._on_the_way(events), *self._resolved()]
        if self.true.get(self.end.seq) == self.end.digest:
            faults = [fault for fault in faults if fault.kind != REWRITTEN]
        return sorted(faults, key=lambda fault: (fault.first, fault.kind == AND_MORE))

    def _on_the_way(self, events: Iterable[Found]) -> Iterator[Fault]:
        """Collects the places that do not hold, and looks at the end."""
        last = self.start
        for found in events:
            if found.event.tag == BROKEN:
                yield Fault(UNSEALED_BEFORE, found.seq, found.seq, found)
            if last.seq < found.seq <= self.end.seq:
                self._look_at(found, last)
                last = Head(self.end.chain, found.seq, found.digest)
            else:
                self.strangers.append(found)
            if len(self.places) + len(self.strangers) >= MOST:
                yield Fault(AND_MORE, found.seq, self.end.seq)
                return
        if last.seq < self.end.seq:
            self.places.append(Place(last.seq + 1, self.end.seq, last.digest, None))
        elif last.digest != self.end.digest:
            yield Fault(REWRITTEN, last.seq, last.seq)

    def _look_at(self, found: Found, last: Head) -> None:
        if found.seq > last.seq + 1:
            self.places.append(Place(last.seq + 1, found.seq - 1, last.digest, None))
        elif found.digest_at(self.end.chain, found.seq, last.digest) != found.digest:
            self.places.append(Place(found.seq, found.seq, last.digest, found))

    def _resolved(self) -> Iterator[Fault]:
        """Each place takes whichever of the doubtful events has the digest that it would have had
        there; what fits nowhere was never in the chain like that."""
        suspects = [place.occupant for place in self.places if place.occupant]
        doubtful = [*suspects, *self.strangers]
        for place in self.places:
            yield from self._filled(place, doubtful)
        for found in doubtful:
            is_changed = found in suspects and found.seq not in self.true
            yield Fault(CHANGED if is_changed else INSERTED, found.seq, found.seq, found)

    def _filled(self, place: Place, doubtful: list[Found]) -> Iterator[Fault]:
        """Moves what fits from `doubtful` to `true`, the digests of places that are settled."""
        seq, previous = place.first, self.true.get(place.first - 1, place.previous)
        while seq <= place.last:
            fitting = self._fitting(doubtful, seq, previous)
            if fitting is None:
                break
            doubtful.remove(fitting)
            if fitting is not place.occupant:
                yield Fault(MISPLACED, seq, seq, fitting)
            self.true[seq] = previous = fitting.digest
            seq += 1
        if seq <= place.last and place.occupant is None:
            yield Fault(CUT if place.last == self.end.seq else MISSING, seq, place.last)

    def _fitting(self, doubtful: list[Found], seq: int, previous: str) -> Found | None:
        for each in doubtful:
            if each.digest_at(self.end.chain, seq, previous) == each.digest:
                return each
        return None


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
    faults = []
    if not head.is_sealed(database.seal):
        faults.append(Fault(UNSEALED, head.seq, head.seq))
    if chain != PLATFORM and beginnings != 1:
        faults.append(Fault(BEGUN_ANEW, beginnings, beginnings))
    astray: list[Fault] = []
    events = _watched(stored(database, chain, LOWEST, head.seq), astray)
    behind = _behind(database, head)
    faults += Walk(Head(chain, 0, FIRST), head).faults(one_after_another(events, behind))
    doubtful = {fault.found for fault in faults}
    faults += [fault for fault in astray if fault.found not in doubtful]
    return Report(chain, head.seq, faults)


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


def _when(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="seconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return f"at {at!r}"
