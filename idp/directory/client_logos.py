"""Logos of clients, as they were when the client named their addresses (RFC 7591 section 2).

The worker fetches each once, and draws it anew (`pictures`). So nobody's browser tells a client's
host that it is at our door, and what was seen then is not exchanged for something else later:
another picture takes another address.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp import outbox, outgoing, tenancy
from idp.database import Base, Connection, Database
from idp.delivery import Undelivered
from idp.directory.clients import Client
from idp.directory.pictures import MAX_BYTES, drawn_anew
from idp.outgoing import Unreachable
from idp.settings import Networks

MOST = 5  # of one client, in so many languages


class ClientLogo(Base):
    """`picture` is a PNG, and `digest` its address here; `uri` is where the client has it."""

    __tablename__ = "client_logos"

    client_id: Mapped[str] = mapped_column(
        sa.ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True
    )
    uri: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(index=True)
    picture: Mapped[bytes] = mapped_column(sa.LargeBinary)


_TABLE: Any = ClientLogo.__table__
_DIGEST = sa.select(_TABLE.c.digest).where(
    _TABLE.c.client_id == sa.bindparam("client_id"), _TABLE.c.uri == sa.bindparam("uri")
)
_PICTURE = sa.select(_TABLE.c.picture).where(_TABLE.c.digest == sa.bindparam("digest")).limit(1)


def order(rows: Session, client: Client, before: Mapping[str, Any], now: float) -> None:
    """Have the worker fetch what the client names now and did not `before`, and forget what it
    names no more."""
    named = _named(client.information)
    rows.execute(
        sa.delete(ClientLogo).where(
            ClientLogo.client_id == client.client_id, ClientLogo.uri.not_in(named)
        )
    )
    for uri in set(named) - set(_named(before)):
        payload = {"client_id": client.client_id, "uri": uri, outbox.LEAVES_NOTHING: True}
        rows.add(outbox.message_of(outbox.LOGO, payload, now))


def _named(information: Mapping[str, Any]) -> list[str]:
    """The addresses of its logos, the one without a language first."""
    named = sorted(name for name in information if name.partition("#")[0] == "logo_uri")
    return list(dict.fromkeys(information[name] for name in named))[:MOST]


def fetch(database: Database, allowed: Networks, client_id: str, uri: str) -> None:
    """Raises Undelivered."""
    try:
        answer = outgoing.ask(uri, allowed, most=MAX_BYTES + 1)
    except Unreachable as problem:
        raise Undelivered(f"the logo could not be fetched: {problem}") from problem
    if answer.status != 200:
        raise Undelivered(f"status {answer.status} is there", refused=answer.status < 500)
    picture = drawn_anew(answer.body)
    if picture is None:
        raise Undelivered("what is there is no picture that we show", refused=True)
    with tenancy.every_tenant(database) as rows:
        client = rows.get(Client, client_id)
        if client and uri in _named(client.information):
            digest = sha256(picture).hexdigest()
            rows.merge(ClientLogo(client_id=client_id, uri=uri, digest=digest, picture=picture))


def find_digest(db: Connection, client_id: str, uri: str) -> str | None:
    row = db.row(_DIGEST, client_id=client_id, uri=uri)
    return str(row[0]) if row else None


def picture(db: Connection, digest: str) -> bytes | None:
    row = db.row(_PICTURE, digest=digest)
    return bytes(row[0]) if row else None
