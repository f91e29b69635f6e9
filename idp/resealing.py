"""What is encrypted, under another key: which keys something may be encrypted by, and how all of it
comes to be encrypted by the one that the settings name (`LATCHKEY_SEALING_KEY`).

SEALED is all that is kept. What else is encrypted is gone within a day: values that expire, tokens
and cursors that we have handed out.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from idp import answered_once, audit
from idp.answered_once import AnsweredRequest
from idp.credentials import totp
from idp.credentials.totp import TotpAuthenticator
from idp.database import Base, Connection, Database
from idp.directory import documents
from idp.directory.documents import Document
from idp.directory.identity_providers import SECRET_PURPOSE, CompanyProvider, IdentityProvider
from idp.errors import SetupMistake
from idp.outbox import OutboxMessage
from idp.secret_values import LETTER_SECRET, SEALED_BY_NAME, SecretKeys
from idp.statements import Upsert
from idp.tokens import signing_keys
from idp.tokens.signing_keys import SigningKey

BATCH = 20  # values in one transaction; a document has up to ten megabytes
MEMBER = "sealed_"
_IDENTIFIER: Any = sa.bindparam("identifier")
_PATTERN: Any = sa.bindparam("pattern", type_=sa.Text)


class SealedColumn:
    """`purpose` is what each value is sealed for, with the row's key in it. A column `within` has
    JSON objects, whose members `sealed_…` are sealed."""

    def __init__(
        self, attribute: InstrumentedAttribute[Any], purpose: str, within: bool = False
    ) -> None:
        column: Any = attribute.property.columns[0]
        self.table, self.name = column.table, column.name
        self._purpose, self._within = purpose, within
        (self._key,) = self.table.primary_key.columns
        text = sa.type_coerce(column, sa.Text)
        is_sealed = text.like(f'%"{MEMBER}%') if within else text != ""
        own, by_other = self._key == _IDENTIFIER, sa.and_(is_sealed, text.not_like(_PATTERN))
        self._read = sa.select(column).where(own)
        self._write = (
            sa.update(self.table)
            .where(own, text == sa.bindparam("old", type_=sa.Text))
            .values({column.name: sa.bindparam("anew", type_=sa.Text)})
        )
        self._others = (
            sa.select(self._key)
            .where(by_other, self._key > sa.bindparam("after"))
            .order_by(self._key)
            .limit(sa.literal_column(str(BATCH)))
        )
        self._count_others = sa.select(sa.func.count()).select_from(self.table).where(by_other)
        self._count = sa.select(sa.func.count()).select_from(self.table).where(text.like(_PATTERN))

    def count(self, db: Connection, mark: str) -> int:
        """Values that are sealed with this mark."""
        return int((db.row(self._count, pattern=self._pattern(mark)) or (0,))[0])

    def count_others(self, db: Connection, mark: str) -> int:
        return int((db.row(self._count_others, pattern=self._pattern(mark)) or (0,))[0])

    def others(self, db: Connection, mark: str, after: str) -> list[str]:
        """The keys of some rows that are sealed with another mark."""
        found = db.rows(self._others, pattern=self._pattern(mark), after=after)
        return [row[0] for row in found]

    def reseal(self, db: Connection, keys: SecretKeys, identifier: str) -> int:
        """1, or 0 where somebody has written it meanwhile."""
        row = db.row(self._read, identifier=identifier)
        if row is None:
            return 0
        anew = self._anew(keys, identifier, row[0])
        return db.run(self._write, identifier=identifier, old=row[0], anew=anew)

    def _pattern(self, mark: str) -> str:
        return f'%"{MEMBER}%":"{mark}%' if self._within else f"{mark}%"

    def _anew(self, keys: SecretKeys, identifier: str, old: str) -> str:
        purpose = self._purpose.format(**{self._key.name: identifier})
        if not self._within:
            return _sealed_anew(keys, old, purpose)
        members = orjson.loads(old)
        for name in members:
            if name.startswith(MEMBER):
                members[name] = _sealed_anew(keys, members[name], purpose)
        return orjson.dumps(members).decode()


def _sealed_anew(keys: SecretKeys, old: str, purpose: str) -> str:
    return keys.encrypt(keys.decrypt(old, purpose), purpose)


SEALED = (
    SealedColumn(SigningKey.private_key, signing_keys.PURPOSE),
    SealedColumn(TotpAuthenticator.sealed_secret, totp.PURPOSE),
    SealedColumn(IdentityProvider.sealed_secret, SECRET_PURPOSE),
    SealedColumn(CompanyProvider.sealed_secret, SECRET_PURPOSE),
    SealedColumn(Document.sealed, documents.PURPOSE),
    SealedColumn(AnsweredRequest.answer, answered_once.PURPOSE),
    SealedColumn(OutboxMessage.payload, LETTER_SECRET, within=True),
)


class SealingKey(Base):
    """One that something may be encrypted by, beside the master key. Nobody starts without it."""

    __tablename__ = "sealing_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    since: Mapped[float]


_KEYS: Any = SealingKey.__table__
_KNOWN = sa.select(_KEYS.c.name, _KEYS.c.fingerprint).order_by(_KEYS.c.name)
_FORGET_OTHERS = sa.delete(_KEYS).where(_KEYS.c.name != sa.bindparam("name"))


def _note(insert: Any) -> Any:
    names = ("name", "fingerprint", "since")
    return (
        insert(_KEYS).values({name: sa.bindparam(name) for name in names}).on_conflict_do_nothing()
    )


_NOTE = Upsert(_note)


def check_keys(database: Database, keys: SecretKeys, now: float) -> None:
    """At a start: from now on something may be encrypted by the key of the settings; and every key
    by which something may be is here, and is the same. Raises SetupMistake."""
    chosen = keys.by_name.chosen
    with database.connection() as db:
        if chosen:
            fingerprint = keys.by_name.fingerprint(chosen)
            db.run(_NOTE, name=chosen, fingerprint=fingerprint, since=now)
        check_known_keys(db, keys)


def check_known_keys(db: Connection, keys: SecretKeys) -> None:
    """Raises SetupMistake."""
    for name, expected_fingerprint in db.rows(_KNOWN):
        try:
            found = keys.by_name.fingerprint(name)
        except SetupMistake as missing:
            raise SetupMistake(
                f"{missing} Something may be encrypted by it: put it back, or run"
                " `idp keys reencrypt` where it is."
            ) from None
        if found != expected_fingerprint:
            raise SetupMistake(
                f"sealing-{name}.key is another one than this database was written with."
            )


def count_others(database: Database, keys: SecretKeys) -> int:
    """Values that are encrypted by another key than the one of the settings."""
    with database.connection() as db:
        return sum(column.count_others(db, keys.mark) for column in SEALED)


def count_by(database: Database, name: str) -> int:
    """Values that are encrypted by the key of that name."""
    with database.connection() as db:
        return sum(column.count(db, f"{SEALED_BY_NAME}{name}.") for column in SEALED)


def is_needed(database: Database, name: str) -> bool:
    """Whether something that is kept is encrypted by it, or may be by a process that runs."""
    with database.connection() as db:
        known = {row[0] for row in db.rows(_KNOWN)}
    return name in known or count_by(database, name) > 0


def reencrypt(database: Database, keys: SecretKeys, now: float) -> Counter[str]:
    """How many values of each table were. Whoever writes one meanwhile wins, and what was done
    before it was killed stays done. If nothing is left, no other key is asked for at a start."""
    done: Counter[str] = Counter()
    for column in SEALED:
        done[column.table.name] += _reencrypt(database, keys, column)
    is_all = not count_others(database, keys)
    chosen = keys.by_name.chosen
    with database.transaction() as db:
        forgotten = db.run(_FORGET_OTHERS, name=chosen) if is_all else 0
        if forgotten or done.total():
            audit.record(db, "sealing_key.in_use", now, key=chosen, values=done.total())
    return +done


def _reencrypt(database: Database, keys: SecretKeys, column: SealedColumn) -> int:
    last, count = "", 0
    while True:
        with database.transaction(durable=False) as db:
            found = column.others(db, keys.mark, last)
            count += sum(column.reseal(db, keys, each) for each in found)
        if not found:
            return count
        last = found[-1]
