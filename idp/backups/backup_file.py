"""The file that a backup is: gzip of lines of JSON.

First a header, with a seal by which a wrong master key is known at once. Then each table: an object
with its name and columns, and an array for each row. Last an object with the number of rows and the
digest of each table, and a seal over all that went before, so that a file that was cut off or
changed is known as such.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from idp.backups.tally import Tally
from idp.errors import SetupMistake
from idp.secret_values import SecretKeys, is_same

FORMAT = "latchkey backup 1"
HEADER_SEAL, FILE_SEAL = "backup header", "backup"
BATCH = 2000  # rows
_FASTEST = 1  # of gzip's levels: a third larger than the best, in a tenth of the time

Rows = Iterable[list[bytes]]


class Header(NamedTuple):
    """`revision` is the schema's, `made_at` the moment of the snapshot."""

    revision: str
    issuer: str
    made_at: float


class Table(NamedTuple):
    """`rows` in batches of lines, each line the JSON array of a row's values. `tally` is of those
    that have been read, by whom a file is read."""

    name: str
    columns: list[str]
    rows: Rows
    tally: Tally


def write(raw: BinaryIO, keys: SecretKeys, header: Header, tables: Iterable[Table]) -> None:
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_FASTEST, filename="") as packed:
        written = sha256()

        def add(lines: list[bytes]) -> None:
            block = b"".join(line + b"\n" for line in lines)
            written.update(block)
            packed.write(block)

        described = {"format": FORMAT, **header._asdict()}
        add([orjson.dumps({**described, "seal": _header_seal(keys, described)})])
        told = {}
        for table in tables:
            add([orjson.dumps({"table": table.name, "columns": table.columns})])
            for lines in table.rows:
                table.tally.add(lines)
                add(lines)
            told[table.name] = table.tally.told
        seal = keys.sign(written.hexdigest(), FILE_SEAL)
        add([orjson.dumps({"tables": told, "seal": seal})])


class BackupReader:
    """Of a file whose seal is sound. `tables` has to be read to its end, where numbers are."""

    def __init__(self, header: Header, lines: Iterator[bytes]) -> None:
        self.header = header
        self._lines = (line[:-1] for line in lines)

    def tables(self) -> Iterator[Table]:
        """In the order of the file. Raises SetupMistake where other rows came than were told of."""
        tallies: dict[str, Tally] = {}
        line = next(self._lines)
        while b'"table":' in line[:10]:
            described = orjson.loads(line)
            tally = tallies[described["table"]] = Tally()
            rest = _Rest()
            rows = self._rows(tally, rest)
            yield Table(described["table"], described["columns"], rows, tally)
            line = rest.line
        if orjson.loads(line)["tables"] != {name: tally.told for name, tally in tallies.items()}:
            raise _not_whole()

    def _rows(self, tally: Tally, rest: _Rest) -> Rows:
        batch: list[bytes] = []
        line = next(self._lines)
        while line.startswith(b"["):
            batch.append(line)
            if len(batch) == BATCH:
                tally.add(batch)
                yield batch
                batch = []
            line = next(self._lines)
        tally.add(batch)
        yield batch
        rest.line = line


class _Rest:
    """The line at which a table's rows have ended."""

    line = b""


@contextmanager
def opened(file: Path, keys: SecretKeys) -> Iterator[BackupReader]:
    """Read twice: nothing of a file is taken apart before all of it is known to be as it was made.
    Raises SetupMistake for what is no backup, or one by another key, or damaged."""
    try:
        with _lines(file) as lines:
            header = _header(lines, keys)
        with _lines(file) as lines:
            _check_seal(lines, keys)
        with _lines(file) as lines:
            next(lines)
            yield BackupReader(header, lines)
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise _not_whole() from problem


@contextmanager
def _lines(file: Path) -> Iterator[Iterator[bytes]]:
    with gzip.open(file) as packed:
        yield iter(packed)


def _header(lines: Iterator[bytes], keys: SecretKeys) -> Header:
    try:
        described = orjson.loads(next(lines, b""))
        seal, written_as = described.pop("seal"), described["format"]
        header = Header(*(described[name] for name in Header._fields))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _no_backup() from None
    if written_as != FORMAT:
        raise _no_backup()
    if not is_same(str(seal), _header_seal(keys, described)):
        raise SetupMistake(
            "The backup was made with another master.key than the one in the keys folder."
            " Put that one there; without it the backup is worth nothing."
        )
    return header


def _check_seal(lines: Iterator[bytes], keys: SecretKeys) -> None:
    read, last = sha256(), b""
    for line in lines:
        read.update(last)
        last = line
    try:
        claimed = orjson.loads(last)["seal"]
    except (ValueError, TypeError, KeyError):
        raise _not_whole() from None
    if not is_same(str(claimed), keys.sign(read.hexdigest(), FILE_SEAL)):
        raise _not_whole()


def _no_backup() -> SetupMistake:
    return SetupMistake("This is no backup that `idp backup` of this version has made.")


def _not_whole() -> SetupMistake:
    return SetupMistake("The backup is damaged or not whole; nothing was restored from it.")


def _header_seal(keys: SecretKeys, described: dict[str, Any]) -> str:
    return keys.sign(orjson.dumps(described).decode(), HEADER_SEAL)
