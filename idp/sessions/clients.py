"""Client sessions: what a browser's session has signed into, one per client, with its `sid`."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection, Upsert
from idp.directory.clients import Client
from idp.secret_values import fingerprint

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
_ADD = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(
            session_id=sa.bindparam("session_id"),
            client_id=sa.bindparam("client_id"),
            sid=sa.bindparam("sid"),
            created_at=sa.bindparam("created_at"),
        )
        .on_conflict_do_nothing(index_elements=["session_id", "client_id"])
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


def add(db: Connection, session_id: str, client_id: str, now: float) -> None:
    """Remember that the session has signed into the client; once is enough."""
    db.run(
        _ADD,
        session_id=session_id,
        client_id=client_id,
        sid=sid_of(session_id, client_id),
        created_at=now,
    )


def signed_into(db: Connection, session_id: str) -> list[SignedIn]:
    return [SignedIn._make(row) for row in db.rows(_OF_SESSION, session_id=session_id)]
