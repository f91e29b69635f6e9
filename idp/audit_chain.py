"""The chains of the audit log: each event is tied to the one before it, and the last one is sealed.

An event belongs to its tenant's chain, or to the platform's if it has no tenant. Its digest is
SHA-256 over the digest before it (64 hexadecimal digits; `FIRST` for the first event), a line feed,
and the event as canonical JSON (`Event.form`). The head of each chain is sealed by a key that is
not in the database: who can write to the database alone can't seal what never was, and can put a
chain back, with its head, to where it has been. Only heads kept elsewhere find that
(`audit_inspection.set_back`).
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import outbox
from idp.audit_concerns import CONCERNS, person_of
from idp.canonical_json import canonical_json
from idp.columns import JsonText
from idp.database import Base, Connection, Seal
from idp.secret_values import is_same
from idp.statements import Upsert

PLATFORM = "platform"
FORM = 1  # of what is hashed; said in every export
FIRST = "0" * 64
STARTED = "audit.chain_started"
BROKEN = "audit.chain_broken"
MESSAGE = "audit_event"  # the outbox's kind: an event that somebody gets a letter about

_IS_ABOUT_SOMEBODY = sa.text("person_id IS NOT NULL")


class AuditEvent(Base):
    """Only ever inserted: triggers refuse the rest. `id` is the row's alone, and not hashed; nor is
    `person_id`, which follows from what is (`audit_concerns.person_of`)."""

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.UniqueConstraint("chain", "seq"),
        sa.Index("ix_audit_events_by_time", "chain", "at", "seq"),
        sa.Index("ix_audit_events_by_actor", "chain", "actor_id", "at", "seq"),
        sa.Index("ix_audit_events_by_tag", "chain", "tag", "at", "seq"),
        sa.Index(
            "ix_audit_events_by_person",
            *("chain", "person_id", "at", "seq"),
            sqlite_where=_IS_ABOUT_SOMEBODY,
            postgresql_where=_IS_ABOUT_SOMEBODY,
        ),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
    )
    at: Mapped[float]
    tag: Mapped[str]
    actor_id: Mapped[str | None]
    tenant_id: Mapped[str | None]
    client_id: Mapped[str | None]
    address: Mapped[str]
    request_id: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JsonText)
    chain: Mapped[str]
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[str]
    person_id: Mapped[str | None]


class ChainHead(Base):
    """The last event of a chain; `mac` is our seal on the other three."""

    __tablename__ = "audit_chains"

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[str]
    mac: Mapped[str]


class Event(NamedTuple):
    """What is hashed, besides its place. `detail` is canonical JSON."""

    at: float
    tag: str
    actor_id: str | None
    tenant_id: str | None
    client_id: str | None
    address: str
    request_id: str
    detail: str

    def form(self, chain: str, seq: int) -> bytes:
        """Form 1: all columns but `id` and `digest`, as RFC 8785 writes them."""
        detail = orjson.Fragment(self.detail)
        return canonical_json({**self._asdict(), "detail": detail, "chain": chain, "seq": seq})


class Head(NamedTuple):
    chain: str
    seq: int
    digest: str
    mac: str = ""

    def text(self) -> str:
        """What is sealed."""
        return f"{self.chain}|{self.seq}|{self.digest}"

    def is_sealed(self, seal: Seal) -> bool:
        return is_same(self.mac, seal(self.text()))


_EVENTS: Any = AuditEvent.__table__
_INSERT = (
    sa.insert(_EVENTS)
    .values(
        {
            name: sa.bindparam(name, type_=sa.Text if name == "detail" else None)
            for name in (*Event._fields, "chain", "seq", "digest", "person_id")
        }
    )
    .inline()  # the row's id is asked for by nobody, and not every transaction may see it
)
_HEAD: Any = ChainHead.__table__
_LOCK = Upsert(
    lambda insert: (
        insert(_HEAD)
        .values(chain=sa.bindparam("chain"), seq=0, digest=FIRST, mac="")
        .on_conflict_do_update(index_elements=["chain"], set_={"seq": _HEAD.c.seq})
        .returning(_HEAD.c.chain, _HEAD.c.seq, _HEAD.c.digest, _HEAD.c.mac)
    )
)
_ADVANCE = (
    sa.update(_HEAD)
    .where(_HEAD.c.chain == sa.bindparam("whose"))
    .values(seq=sa.bindparam("last"), digest=sa.bindparam("last_digest"), mac=sa.bindparam("mac"))
)


def link(previous: str, form: bytes) -> str:
    """The digest of an event in its canonical form."""
    return sha256(previous.encode() + b"\n" + form).hexdigest()


def add(db: Connection, event: Event) -> None:
    """At the end of the transaction. Raises RuntimeError outside of one."""
    db.defer(_append, event)


def _append(db: Connection, events: list[Event]) -> None:
    """Chains are locked in one order, the platform's last, so nobody waits for each other."""
    by_chain: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_chain[event.tenant_id or PLATFORM].append(event)
    of_platform = by_chain.pop(PLATFORM, [])
    for chain in sorted(by_chain):
        if _extend(db, chain, by_chain[chain]):
            of_platform.append(_told(STARTED, by_chain[chain][0].at, None, chain=chain))
    if of_platform:
        _extend(db, PLATFORM, of_platform)


def _extend(db: Connection, chain: str, events: list[Event]) -> bool:
    """Whether these are its first. A head without our seal is told of in the chain, where nobody
    can take it away again; a change is not stopped by it."""
    row = db.row(_LOCK, chain=chain)
    assert row is not None
    head = before = Head._make(row)
    if before.seq and not before.is_sealed(db.seal):
        tenant = None if chain == PLATFORM else chain
        broken = _told(BROKEN, events[0].at, tenant, seq=before.seq, digest=before.digest)
        events = [broken, *events]
    for event in events:
        seq = head.seq + 1
        head = Head(chain, seq, link(head.digest, event.form(chain, seq)))
        _write(db, event, head)
    mac = db.seal(head.text())
    db.run(_ADVANCE, whose=chain, last=head.seq, last_digest=head.digest, mac=mac)
    return before.seq == 0


def _write(db: Connection, event: Event, place: Head) -> None:
    """With the order for its letters, which the worker writes (`directory/event_letters.py`)."""
    db.run(
        _INSERT,
        **event._asdict(),
        chain=place.chain,
        seq=place.seq,
        digest=place.digest,
        person_id=person_of(event.tag, event.actor_id, event.detail),
    )
    if CONCERNS[event.tag].readers:
        outbox.enqueue(db, MESSAGE, {"chain": place.chain, "seq": place.seq}, event.at)


def _told(tag: str, at: float, tenant_id: str | None, **detail: Any) -> Event:
    """What the log says of itself."""
    return Event(at, tag, None, tenant_id, None, "", "", canonical_json(detail).decode())
