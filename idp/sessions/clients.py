"""Client sessions: what a browser's session has signed into, one per client, with its `sid`."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.directory.clients import Client
from idp.secret_values import fingerprint
from idp.sessions.browser import SsoSession
from idp.statements import Upsert

SID_CHARACTERS = 32


class ClientSession(Base):
    __tablename__ = "client_sessions"

    session_id: Mapped[str] = mapped_column(
        sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
    )
    client_id: Mapped[str] = mapped_column(
        sa.ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True
    )
    sid: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[float]


class SignedIn(NamedTuple):
    client_id: str
    client_name: str
    product_key: str
    sid: str
    backchannel_logout_uri: str | None


_TABLE: Any = ClientSession.__table__
_SESSION: Any = SsoSession.__table__
_LIVE = (
    sa.select(
        _SESSION.c.id,
        sa.bindparam("client_id", type_=sa.Text),
        sa.bindparam("sid", type_=sa.Text),
        sa.bindparam("created_at", type_=sa.Double),
    )
    .where(_SESSION.c.id == sa.bindparam("session_id"), _SESSION.c.ended_at.is_(None))
    .with_for_update(read=True)
)
_ADD = Upsert(
    lambda insert: (
        insert(_TABLE)
        .from_select(["session_id", "client_id", "sid", "created_at"], _LIVE)
        .on_conflict_do_update(
            index_elements=["session_id", "client_id"],
            set_={"created_at": _TABLE.c.created_at},
        )
        .returning(_TABLE.c.session_id)
    )
)
_OF_SESSION = (
    sa.select(
        Client.client_id,
        Client.client_name,
        Client.product_key,
        ClientSession.sid,
        Client.backchannel_logout_uri,
    )
    .select_from(ClientSession)
    .join(Client, Client.client_id == ClientSession.client_id)
    .where(ClientSession.session_id == sa.bindparam("session_id"))
    .order_by(ClientSession.created_at)
)


def sid_of(session_id: str, client_id: str) -> str:
    """The `sid` claim: stable for a session at a client, and different at every other client, so
    that products can't compare notes (OpenID Connect Front-Channel Logout section 3)."""
    return fingerprint(f"{session_id} {client_id}")[:SID_CHARACTERS]


def add(db: Connection, session_id: str, client_id: str, now: float) -> bool:
    """Remember that the session has signed into the client; once is enough. False if the session
    has ended. Whoever is ending it is waited for; whoever ends it from now on finds the client."""
    row = db.row(
        _ADD,
        session_id=session_id,
        client_id=client_id,
        sid=sid_of(session_id, client_id),
        created_at=now,
    )
    return row is not None


def signed_into(db: Connection, session_id: str) -> list[SignedIn]:
    return [SignedIn._make(row) for row in db.rows(_OF_SESSION, session_id=session_id)]
