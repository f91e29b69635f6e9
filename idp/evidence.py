"""An export of an audit chain that an outsider can verify with nothing but our public keys.

JSON lines. First a header: where the export begins, and the digest before that. Then the events,
each with its digest: `{"digest":"…","event":{…}}`, where the event is byte for byte what was
hashed (`audit_chain.py`). Last a statement, signed by the provider: where it ends, and the last
digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from idp.audit_chain import FIRST, FORM, Event, Head
from idp.audit_inspection import sealed_head, stored
from idp.audit_walk import Fault, Found, Walk
from idp.canonical_json import canonical_json
from idp.database import Database
from idp.directory import history
from idp.directory.acting import Administration
from idp.directory.operating import Operation
from idp.errors import Refusal, told
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.signed_tokens import AUDIT_STATEMENT, mint
from idp.tokens.signing_keys import KeyRing

ALG = "ES256"
HEADER = {"chain", "tenant", "issuer", "form", "first", "previous"}
EVENT = {*Event._fields, "chain", "seq"}


class Broken(Refusal):
    """The chain is not whole, so nothing is signed."""

    status = 500

    def __init__(self, chain: str, seq: int) -> None:
        super().__init__(
            "server_error",
            told("The audit log is damaged. Nothing was signed."),
            f"the chain {chain} is broken at event {seq}: run `idp audit verify`",
        )


class NoEvents(Refusal):
    """There is nothing to export, or not from there to there."""

    status = 404

    def __init__(self, detail: str) -> None:
        super().__init__("not_found", told("There are no such events."), detail)


class BadEvidence(Refusal):
    """It can't be verified; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_request", told("This export can't be verified."), detail)


class Evidence(NamedTuple):
    """What a verified export says, and what is wrong with its events."""

    claims: dict[str, Any]
    faults: list[Fault]


def export_for(reader: Administration | Operation, ring: KeyRing, issuer: str) -> Iterator[bytes]:
    """The whole chain that they may read, which is written down. Raises Forbidden at once, and
    Broken on the way."""
    chain = history.chain_of(reader)
    tenant = reader.tenant.slug if isinstance(reader, Administration) else None
    return _recorded(reader, export(reader.database, ring, issuer, chain, tenant, reader.now))


def _recorded(reader: Administration | Operation, lines: Iterator[bytes]) -> Iterator[bytes]:
    """Once it is whole; before that nobody has it."""
    yield from lines
    history.record_export(reader, **{"as": "jsonl"})


def export(
    database: Database,
    ring: KeyRing,
    issuer: str,
    chain: str,
    tenant: str | None,
    now: float,
    first: int = 1,
    last: int | None = None,
) -> Iterator[bytes]:
    """The lines. `tenant` is the slug. Raises NoEvents, and Broken on the way; then there is no
    last line.

    All events from `first` to the sealed end are verified, also those behind `last`: only that end
    vouches for any of them.
    """
    head = _sound_head(database, chain)
    if not 1 <= first <= (last or first) <= head.seq:
        raise NoEvents(f"{chain} has the events 1 to {head.seq}")
    at = _before(database, chain, first)
    header = {"chain": chain, "tenant": tenant, "issuer": issuer, "form": FORM}
    header |= {"first": first, "previous": at.digest}
    yield canonical_json(header) + b"\n"
    end = at
    for found in stored(database, chain, at.seq, head.seq):
        if found.seq != at.seq + 1 or found.digest_at(chain, found.seq, at.digest) != found.digest:
            raise Broken(chain, at.seq + 1)
        at = Head(chain, found.seq, found.digest)
        if last is None or found.seq <= last:
            end = at
            yield _line(found, chain)
    if (at.seq, at.digest) != (head.seq, head.digest):
        raise Broken(chain, at.seq)
    claims = {"iss": issuer, "iat": int(now), **header, "last": end.seq, "digest": end.digest}
    statement = mint(ring.signer(ALG, now), AUDIT_STATEMENT, claims)
    yield canonical_json({"statement": statement}) + b"\n"


def _sound_head(database: Database, chain: str) -> Head:
    with database.connection() as db:
        head = sealed_head(db, chain)
    if head is None:
        raise NoEvents(f"{chain} has no events")
    if not head.is_sealed(database.seal):
        raise Broken(chain, head.seq)
    return head


def _before(database: Database, chain: str, first: int) -> Head:
    """The event before the first; it is as good as the end that follows from it."""
    if first == 1:
        return Head(chain, 0, FIRST)
    for found in stored(database, chain, first - 2, first - 1):
        return Head(chain, found.seq, found.digest)
    raise Broken(chain, first - 1)


def _line(found: Found, chain: str) -> bytes:
    form = orjson.Fragment(found.event.form(chain, found.seq))
    return canonical_json({"digest": found.digest, "event": form}) + b"\n"


def verify(file: Path, jwks: dict[str, Any]) -> Evidence:
    """With nothing but the file and the keys that it is held against. Raises BadEvidence if it
    can't be read or was not signed by one of them."""
    with file.open("rb") as lines:
        header = _members(lines.readline(), 1, HEADER)
        count, last = 1, b""
        for line in lines:
            count, last = count + 1, line
    claims = _signed(str(_members(last, count, {"statement"})["statement"]), jwks)
    if {name: claims.get(name) for name in HEADER} != header or header["form"] != FORM:
        raise BadEvidence("the header is not the one that was signed")
    chain = header["chain"]
    start = Head(chain, header["first"] - 1, header["previous"])
    walk = Walk(start, Head(chain, claims["last"], claims["digest"]))
    return Evidence(claims, walk.faults(_events(file, chain, count)))


def _events(file: Path, chain: str, count: int) -> Iterator[Found]:
    """Between the first line and the last."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if 1 < number < count:
                yield _found(line, number, chain)


def _found(line: bytes, number: int, chain: str) -> Found:
    shown = _members(line, number, {"digest", "event"})
    event = shown["event"]
    if not isinstance(event, dict) or set(event) != EVENT or event["chain"] != chain:
        raise BadEvidence(f"line {number} is no event of this chain")
    seq, detail = event["seq"], canonical_json(event["detail"]).decode()
    fields = {name: event[name] for name in Event._fields}
    found = Found(seq, str(shown["digest"]), Event(**{**fields, "detail": detail}))
    if not isinstance(seq, int) or _line(found, chain) != line:
        raise BadEvidence(f"line {number} is not in the form that it was written in")
    return found


def _members(line: bytes, number: int, expected: set[str]) -> dict[str, Any]:
    try:
        read = orjson.loads(line)
    except ValueError:
        read = None
    if not isinstance(read, dict) or set(read) != expected:
        raise BadEvidence(f"line {number} can't be read")
    return read


def _signed(statement: str, jwks: dict[str, Any]) -> dict[str, Any]:
    """By a key that we are given, and that key's one algorithm; the file can choose neither."""
    keys = _keys(jwks)
    try:
        claimed = jws.extract_compact(statement.encode()).headers()
        key = keys.get(claimed.get("kid", ""))
        if key is None:
            raise BadEvidence("it was signed by a key that is not among these")
        signed = jws.deserialize_compact(statement, key, algorithms=[str(key.alg)])
        claims = orjson.loads(signed.payload or b"")
    except (JoseError, ValueError, TypeError) as problem:
        raise BadEvidence(f"the statement: {problem!a}") from problem
    if signed.headers().get("typ") != AUDIT_STATEMENT or not isinstance(claims, dict):
        raise BadEvidence("what was signed is no such statement")
    return claims


def _keys(jwks: dict[str, Any]) -> dict[str, RSAKey | ECKey | OKPKey]:
    """By `kid`."""
    try:
        keys = KeySet.import_key_set(jwks).keys  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError) as problem:
        raise BadEvidence(f"the keys can't be read: {problem!a}") from problem
    return {
        str(key.kid): key
        for key in keys
        if isinstance(key, RSAKey | ECKey | OKPKey) and key.alg in ALGORITHMS
    }
