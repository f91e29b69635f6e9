"""A request that is made elsewhere, by something that polls, and that a person decides in a browser
here: the device authorization grant's (RFC 8628), and CIBA's.

One row from the request to the decision. A yes makes an ordinary grant, which the row names, so
that whatever ends a grant ends this one. Nothing of the row lets anybody in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.audit import Origin
from idp.database import Base, Connection
from idp.directory.clients import Client
from idp.errors import OAuthRefusal
from idp.grants import authorization_code, grant, grant_state
from idp.grants.grant import Replayed
from idp.grants.redemption import Redemption
from idp.grants.target import Target
from idp.oidc.client_metadata import CIBA, DEVICE_CODE
from idp.secret_values import fingerprint
from idp.statements import Upsert

INTERVAL = 5  # seconds between two polls, and what each that comes too early adds


class DecoupledRequest(Base):
    """`handle_hash` is of what its client polls with, and `name_hash` of what a person names it by.
    `parameters` is the JSON of those of an authorization request, which came from `address`. One
    that is about a person (`user_id`) is theirs to decide, and its name no secret. `browser` (a
    fingerprint) is the one that may decide: the first that named it, or the last of that person's.
    Of what is decided, `grant_id` is the grant, or None for a no. `poll_after` is when the client
    may ask again."""

    __tablename__ = "decoupled_requests"

    handle_hash: Mapped[str] = mapped_column(primary_key=True)
    name_hash: Mapped[str] = mapped_column(unique=True)
    grant_type: Mapped[str]
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.client_id", ondelete="CASCADE"))
    parameters: Mapped[str]
    address: Mapped[str]
    user_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    browser: Mapped[str | None]
    interval: Mapped[int]
    poll_after: Mapped[float]
    created_at: Mapped[float]
    expires_at: Mapped[float] = mapped_column(index=True)
    decided_at: Mapped[float | None]
    grant_id: Mapped[str | None]


class Pending(NamedTuple):
    """What somebody may still decide."""

    handle_hash: str
    parameters: dict[str, str]
    address: str
    created_at: float


class Listed(NamedTuple):
    """What one person may still decide."""

    name: str
    client_id: str
    parameters: dict[str, str]
    created_at: float
    expires_at: float


class _Polled(NamedTuple):
    client_id: str
    grant_type: str
    expires_at: float
    decided_at: float | None
    grant_id: str | None


REPLAYED = {  # by grant type, what the audit calls it
    DEVICE_CODE: "device_code.replayed",
    CIBA: "backchannel_request.replayed",
}
_TABLE: Any = DecoupledRequest.__table__
_BEGUN = (
    *("handle_hash", "name_hash", "grant_type", "client_id", "parameters", "address", "user_id"),
    *("interval", "poll_after", "created_at", "expires_at"),
)
_BEGIN = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values({name: sa.bindparam(name) for name in _BEGUN})
        .on_conflict_do_nothing(index_elements=["name_hash"])
        .returning(_TABLE.c.handle_hash)
    )
)
_NOW = sa.bindparam("now", type_=sa.Double)
_THIS = _TABLE.c.handle_hash == sa.bindparam("handle_key")
_UNDECIDED = (_TABLE.c.decided_at.is_(None), _TABLE.c.expires_at > _NOW)
_BROWSER: Any = sa.bindparam("decider", type_=sa.Text)
_TOLD = [_TABLE.c[name] for name in Pending._fields]
_TAKE_UP = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.name_hash == sa.bindparam("name_key"),
        sa.or_(_TABLE.c.browser.is_(None), _TABLE.c.browser == _BROWSER),
        *_UNDECIDED,
    )
    .values(browser=_BROWSER)
    .returning(*_TOLD)
)
_OF_PERSON = _TABLE.c.user_id == sa.bindparam("person", type_=sa.Text)
_OWN = (_TABLE.c.name_hash == sa.bindparam("name_key"), _OF_PERSON, *_UNDECIDED)
_TAKE_UP_OWN = sa.update(_TABLE).where(*_OWN).values(browser=_BROWSER).returning(*_TOLD)
_DENY_OWN = sa.update(_TABLE).where(*_OWN).values(decided_at=_NOW).returning(_TABLE.c.client_id)
_LIST = (
    sa.select(
        *(_TABLE.c.name_hash, _TABLE.c.client_id, _TABLE.c.parameters),
        *(_TABLE.c.created_at, _TABLE.c.expires_at),
    )
    .where(_OF_PERSON, *_UNDECIDED)
    .order_by(_TABLE.c.created_at)
)
_FIND = sa.select(*_TOLD).where(_THIS, _TABLE.c.browser == _BROWSER, *_UNDECIDED)
_DECIDE = (
    sa.update(_TABLE)
    .where(_THIS, _TABLE.c.browser == _BROWSER, *_UNDECIDED)
    .values(decided_at=_NOW, grant_id=sa.bindparam("made", type_=sa.Text))
    .returning(_TABLE.c.expires_at)
)
_POLL = sa.select(*(_TABLE.c[name] for name in _Polled._fields)).where(_THIS)
_TAKE_TURN = (
    sa.update(_TABLE)
    .where(_THIS, _TABLE.c.poll_after <= _NOW)
    .values(poll_after=_NOW + _TABLE.c.interval)
    .returning(_TABLE.c.handle_hash)
)
_SLOW_DOWN = (
    sa.update(_TABLE)
    .where(_THIS)
    .values(
        interval=_TABLE.c.interval + INTERVAL,
        poll_after=_NOW + _TABLE.c.interval + INTERVAL,
    )
)


def begin(
    db: Connection,
    handle: str,
    name_hash: str,
    grant_type: str,
    client: Client,
    parameters: dict[str, str],
    lifetime: float,
    now: float,
    origin: Origin,
    *,
    user_id: str | None = None,
) -> bool:
    """False if something else has that name."""
    made = db.row(
        _BEGIN,
        handle_hash=fingerprint(handle),
        name_hash=name_hash,
        grant_type=grant_type,
        client_id=client.client_id,
        parameters=orjson.dumps(parameters).decode(),
        address=origin.address,
        user_id=user_id,
        interval=INTERVAL,
        poll_after=now,
        created_at=now,
        expires_at=now + lifetime,
    )
    return made is not None


def take_up(db: Connection, name_hash: str, browser: str, now: float) -> Pending | None:
    """What somebody has named in this browser, which alone may decide it from now on (security.md
    S28); None for what is decided, expired, another browser's, or was never asked."""
    row = db.row(_TAKE_UP, name_key=name_hash, decider=browser, now=now)
    return _pending(row) if row else None


def take_up_own(
    db: Connection, name: str, user_id: str, browser: str, now: float
) -> Pending | None:
    """What is about this person, in the browser that they are signed in with: from now on that one
    may decide."""
    row = db.row(_TAKE_UP_OWN, name_key=name, person=user_id, decider=browser, now=now)
    return _pending(row) if row else None


def deny_own(db: Connection, name: str, user_id: str, now: float) -> str | None:
    """The id of its client; None if there is nothing left to decide."""
    row = db.row(_DENY_OWN, name_key=name, person=user_id, now=now)
    return str(row[0]) if row else None


def about(db: Connection, user_id: str, now: float) -> list[Listed]:
    """What is left for this person to decide, the oldest first."""
    return [
        Listed(name, client_id, orjson.loads(parameters), *rest)
        for name, client_id, parameters, *rest in db.rows(_LIST, person=user_id, now=now)
    ]


def find(db: Connection, handle_hash: str, browser: str, now: float) -> Pending | None:
    """What this browser may still decide."""
    row = db.row(_FIND, handle_key=handle_hash, decider=browser, now=now)
    return _pending(row) if row else None


def _pending(row: Any) -> Pending:
    handle_hash, parameters, *rest = row
    return Pending(handle_hash, orjson.loads(parameters), *rest)


def allow(
    db: Connection, handle_hash: str, browser: str, grant_id: str, now: float
) -> float | None:
    """Until when its client may come for the grant, which is made in the same transaction; None if
    there is nothing left to decide: of all who decide at once, one does."""
    row = db.row(_DECIDE, handle_key=handle_hash, decider=browser, made=grant_id, now=now)
    return float(row[0]) if row else None


def deny(db: Connection, handle_hash: str, browser: str, now: float) -> bool:
    """False if there is nothing left to decide."""
    row = db.row(_DECIDE, handle_key=handle_hash, decider=browser, made=None, now=now)
    return row is not None


def redeem(by: Redemption, grant_type: str, claimed_handle: str) -> tuple[Target, str | None]:
    """The grant at the product that its first access token is for, and a first refresh token if the
    client uses them, once (RFC 8628 section 3.5).

    Until then raises authorization_pending, or slow_down, which makes the client wait longer from
    then on; access_denied and expired_token are for good. A second time is a replay, which ends the
    grant and all that it gave (security.md S05).
    """
    try:
        with by.database.connection(durable=False) as db:
            grant_id = _granted(db, by.client, grant_type, fingerprint(claimed_handle), by.now)
            state = grant_state.find(db, grant_id, "", by.client, by.now)
            if state is None:
                raise _invalid("its grant is gone")
            if state.code_used_at is None and state.code_expires_at <= by.now:
                raise _expired("Nobody has come for it in time. Begin again.")
            return authorization_code.first_tokens(by, db, state)
    except Replayed as replay:
        grant.end_replayed(by.database, REPLAYED[grant_type], replay.state, by.now, by.origin)
        raise _invalid("used before") from replay


def _granted(db: Connection, client: Client, grant_type: str, handle_hash: str, now: float) -> str:
    """The id of its grant. Another client learns nothing, and changes nothing."""
    row = db.row(_POLL, handle_key=handle_hash)
    if row is None:
        raise _invalid("unknown")
    polled = _Polled._make(row)
    if polled.client_id != client.client_id:
        raise _invalid("another client's")
    if polled.grant_type != grant_type:
        raise _invalid("of another grant type")
    if polled.grant_id is not None:
        return polled.grant_id
    if polled.expires_at <= now:
        raise _expired("Nobody has decided in time. Begin again.")
    if polled.decided_at is not None:
        raise OAuthRefusal("access_denied", "The person did not allow it.")
    if db.row(_TAKE_TURN, handle_key=handle_hash, now=now) is None:
        db.run(_SLOW_DOWN, handle_key=handle_hash, now=now)
        raise OAuthRefusal("slow_down", f"Wait {INTERVAL} seconds longer each time from now on.")
    raise OAuthRefusal("authorization_pending", "The person has not decided yet.")


def _expired(sentence: str) -> OAuthRefusal:
    return OAuthRefusal("expired_token", sentence)


def _invalid(detail: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_grant", "That is nothing that can be redeemed.", detail)
