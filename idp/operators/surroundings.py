"""What a provider stands on and beside, as `idp doctor` looks at it: settings that don't fit each
other, stores, keys, the mail server; and of one that serves already, whether it is reached and its
worker sweeps. Each fault says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from idp import audit_inspection, outgoing, resealing, senders
from idp.audit_chain import BROKEN, AuditEvent, ChainHead
from idp.audit_walk import UNSEALED_BEFORE
from idp.ephemeral_redis import RedisEphemeral
from idp.operators import health
from idp.operators.health import Check
from idp.outgoing import ANYWHERE, Unreachable
from idp.provider import Provider
from idp.secret_values import SEALING_KEY_FILES
from idp.tokens.key_pairs import ALGORITHMS

HOUR, DAY = 3600.0, 86400.0
CLOCKS_APART = 5.0  # seconds
LEAST_FREE = 1024**3  # bytes
OLDEST_POSTGRES = 14
DISCOVERY = "/.well-known/openid-configuration"
_TIME = sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")
_VERSION = sa.text("SELECT current_setting('server_version_num')::int / 10000")
_MODE = sa.text("PRAGMA journal_mode")
NEWEST = 10_000  # events of the audit log that are looked at, in half a second
_BROKEN_SINCE = (  # by the index that each chain has of its tags
    sa.select(sa.func.count())
    .select_from(ChainHead)
    .join(AuditEvent, AuditEvent.chain == ChainHead.chain)
    .where(AuditEvent.tag == BROKEN, AuditEvent.at > sa.bindparam("since", type_=sa.Double))
)


def _proxies(held: Provider) -> str | None:
    settings = held.settings
    if not settings.is_https or settings.trusted_proxies:
        return None
    return (
        "An https issuer has a proxy before it, and none is trusted to tell who asks: everybody has"
        " the proxy's address, and its limits. Set LATCHKEY_TRUSTED_PROXIES to the proxy's own."
    )


def _inbox(held: Provider) -> str | None:
    if held.settings.is_https and held.settings.demo_inbox:
        return "Anybody reads everybody's mail at /inbox: unset LATCHKEY_DEMO_INBOX."
    return None


def _folder_of_keys(held: Provider) -> str | None:
    folder = held.settings.keys_dir
    if folder.stat().st_mode & 0o022:
        return f"Others can put keys into {folder}: chmod go-w {folder}"
    return None


def _sealing_keys(held: Provider) -> str | None:
    """Raises SetupMistake."""
    with held.database.connection() as db:
        resealing.check_known_keys(db, held.secret_keys)
    left = resealing.count_others(held.database, held.secret_keys)
    if not left:
        return None
    return (
        f"{left} values are still encrypted by another key than the one of LATCHKEY_SEALING_KEY, so"
        " that key is needed: when every process was started again, run `idp keys reencrypt`."
    )


def _age_of_signing_keys(held: Provider) -> str | None:
    now, settings = held.clock(), held.settings
    ring = held.key_ring.current(now)
    longest = settings.signing_key_max_age + settings.signing_key_lead + HOUR
    late = [alg for alg in ALGORITHMS if now - ring.signer(alg, now).active_from > longest]
    if not late:
        return None
    return (
        f"Signing keys are older than LATCHKEY_SIGNING_KEY_MAX_AGE ({', '.join(late)}): start"
        " `idp worker`, which replaces them, or run `idp keys rotate`."
    )


def _clock(held: Provider) -> str | None:
    """SQLite has ours."""
    if held.database.is_sqlite:
        return None
    with held.database.engine.connect() as connection:
        apart = abs(float(connection.scalar(_TIME) or 0.0) - held.clock())
    if apart < CLOCKS_APART:
        return None
    return (
        f"This machine's clock and the database's are {apart:.0f} seconds apart: run NTP on both."
    )


def _postgres(held: Provider) -> str | None:
    if held.database.is_sqlite:
        return None
    with held.database.engine.connect() as connection:
        version = connection.scalar(_VERSION) or 0
    if version >= OLDEST_POSTGRES:
        return None
    return f"PostgreSQL {version} gets no fixes any more: go to {OLDEST_POSTGRES} or newer."


def _sqlite(held: Provider) -> str | None:
    if not held.database.is_sqlite:
        return None
    with held.database.engine.connect() as connection:
        mode = connection.scalar(_MODE)
    if mode != "wal":
        return (
            f"SQLite's journal is {mode}, not wal, so that readers wait for writers: put the file"
            " on a disk of this machine, and on no network share."
        )
    folder = Path(str(held.database.url.database)).absolute().parent
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        return f"Only {free // 1024**2} MB are free at {folder}: make room before SQLite runs out."
    return None


def _redis(held: Provider) -> str | None:
    """Raises StoreUnavailable."""
    if not held.settings.redis_url:
        return None
    policy = RedisEphemeral(held.settings.redis_url).eviction()
    if policy is None:
        return None
    return (
        f"Redis throws values away when it is full ({policy}), half-finished sign-ins among"
        " them: set maxmemory-policy to noeviction."
    )


def _mail_server(held: Provider) -> str | None:
    settings = held.settings
    if settings.demo_inbox or not settings.smtp_url:
        return None
    problem = senders.problem_of_server(settings)
    return f"No mail leaves ({problem}): mend LATCHKEY_SMTP_URL." if problem else None


def _audit(held: Provider) -> str | None:
    """The newest events; and what the log tells of itself, by its date."""
    reports = audit_inspection.inspect_newest(held.database, NEWEST)
    if any(fault.kind != UNSEALED_BEFORE for report in reports for fault in report.faults):
        return (
            "The end of the audit log is not as it was written: copy the database as it is, let"
            " `idp audit verify` say which events, and find out who can write to the database."
        )
    with held.database.connection() as db:
        row = db.row(_BROKEN_SINCE, since=held.clock() - 30 * DAY)
    if not row or not row[0]:
        return None
    return (
        "A chain of the audit log was found broken in the last thirty days: run `idp audit verify`,"
        " which says where."
    )


def _issuer(held: Provider) -> str | None:
    address = held.settings.issuer + DISCOVERY
    expected = f'"issuer":"{held.settings.issuer}"'.encode()
    try:
        found = outgoing.fetched(address, ANYWHERE)
    except Unreachable as problem:
        return (
            f"Nobody answers at {address} ({problem}): look whether `idp serve` runs, whether the"
            " proxy leads to it, and whether its certificate is good for this machine too."
        )
    if expected in found:
        return None
    return f"At {address} somebody else answers: let the name and the proxy lead here."


def _worker(held: Provider) -> str | None:
    load = health.load_now(held)
    if load.is_worker_late(held.clock()):
        return (
            "No worker has swept in the last five minutes: start `idp worker`. Without it no mail"
            " leaves, and no sign-out."
        )
    return None


def _outbox(held: Provider) -> str | None:
    load = health.load_now(held)
    if load.is_behind(held.clock()):
        return (
            f"{load.waiting} messages wait, the oldest for more than five minutes: the worker's log"
            " says why, or start one more."
        )
    return None


OF_SET_UP: Mapping[str, Check] = {
    "proxies": _proxies,
    "inbox": _inbox,
    "keys folder": _folder_of_keys,
    "encryption keys": _sealing_keys,
    "age of signing keys": _age_of_signing_keys,
    "clock": _clock,
    "PostgreSQL": _postgres,
    "SQLite": _sqlite,
    "Redis": _redis,
    "mail server": _mail_server,
    "audit log": _audit,
}
OF_SERVING: Mapping[str, Check] = {"issuer": _issuer, "worker": _worker, "outbox": _outbox}


def spare_keys(held: Provider) -> list[str]:
    """Files of keys by which nothing that is kept is encrypted, and nothing will be."""
    names = (
        path.stem.partition("-")[2]
        for path in sorted(held.settings.keys_dir.glob(SEALING_KEY_FILES))
    )
    return [
        name
        for name in names
        if name != held.settings.sealing_key and not resealing.is_needed(held.database, name)
    ]
