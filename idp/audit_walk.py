"""One pass over a chain of the audit log: which event was changed, is missing, stands in another
place, was inserted, or that the end was cut.

Events come as a stream, and nothing of them is believed: only where the chain begins, and its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from idp.audit_chain import BROKEN, Event, Head, link

MOST = 100  # places that are looked into; after so many, the rest is not read

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


def _when(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="seconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return f"at {at!r}"
