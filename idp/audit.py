"""The audit log: who did what, for which tenant, when, from where, and how it ended.

An event is written in the transaction of the change it tells of. It never holds a secret.
Each tag is documented in docs/operate.md; a test fails for one that is not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection, JsonText

TAGS = {
    "sign_in.succeeded": "A person proved who they are and a session started or was renewed.",
    "sign_in.failed": "An e-mail address and password were refused; `reason` says why.",
    "sign_in.locked": "The last allowed wrong password: sign-in for that address now pauses.",
    "sign_in.refused": "A proven person may not open a product; `reason` says why.",
    "session.ended": "A browser's session ended; `reason` says by whom or by what.",
    "tenant.chosen": "A person chose which tenant to work in.",
    "consent.given": "A person allowed a product that is not first-party to see `scope`.",
    "consent.withdrawn": "A person withdrew what they had allowed; its tokens are dead.",
    "code.replayed": "An authorization code was used again; what it had given is dead.",
    "refresh_token.replayed": "A spent refresh token was used again; its whole family is dead.",
    "token.revoked": "A client revoked a token (RFC 7009).",
    "client.refused": "A client did not prove who it is.",
    "logout.delivered": "A product confirmed a back-channel logout.",
    "logout.undelivered": "A product could not be told of a sign-out; `reason` says why.",
    "signing_key.made": "A signing key was made; it signs from `active_from`.",
    "signing_key.revoked": "A signing key was revoked; what it signed is worthless at once.",
    "tenant.created": "An operator made a tenant.",
    "tenant.suspended": "An operator suspended a tenant: nobody opens anything in it.",
    "tenant.resumed": "An operator let a suspended tenant go on.",
    "tenant.ended": "An operator ended a tenant for good; `counts` says what ended with it.",
    "tenant.evidence_taken": "An operator downloaded the evidence pack of a tenant that has ended.",
    "invitation.sent": "Somebody was invited.",
    "invitation.sent_again": "An invitation was sent again; the old link is dead.",
    "invitation.revoked": "An invitation was revoked; its link is dead.",
    "invitation.accepted": "Somebody came in by an invitation.",
    "person.roles_changed": "An admin gave somebody roles, or took some away.",
    "person.disabled": "An admin disabled somebody's membership.",
    "person.enabled": "An admin enabled somebody's membership again.",
    "person.sessions_ended": "An admin ended sessions of somebody.",
    "domain.added": "An admin named a domain, to be verified.",
    "domain.verified": "A company proved that a domain is its own.",
    "domain.lost": "The record of a verified domain was gone for three days.",
    "domain.removed": "An admin took a domain away.",
    "role.made": "A role was made; `after` is what it is called and its rank.",
    "role.changed": "A role's name, rank or access changed, from `before` to `after`.",
    "role.deleted": "A role was deleted; whoever had it has it no more.",
    "product.made": "An operator made a product; `fields` says as what.",
    "product.changed": "An operator changed a product or its tree, from and to what `fields` say.",
    "client.registered": "An operator registered a client; `fields` says as what.",
    "client.changed": "An operator changed a client, from and to what `fields` say.",
    "client.disabled": "An operator disabled a client: it gets nothing any more.",
    "client.enabled": "An operator let a disabled client go on.",
    "client.secret_rotated": "A client got a new secret; the old ones end at `old_until`.",
    "client.secret_removed": "A secret of a client was removed, and is worthless at once.",
    "operator.added": "Somebody was made an operator of the platform.",
    "operator.removed": "Somebody is an operator no more.",
    "visit.started": "An operator began to act for a tenant; `reason` says why, `until` how long.",
    "visit.ended": "A visit was ended before its time, by the operator or by the tenant.",
    "policy.changed": "What a company demands at sign-in changed, from `before` to `after`.",
    "setup.applied": "A set-up file was applied; `changes` lists what it created or updated.",
}


REQUEST_ID = "latchkey.request_id"  # where a request's environment keeps it


class Origin(NamedTuple):
    """Where a request came from. `address` is the client's, by trusted proxies only."""

    address: str = ""
    request_id: str = ""
    user_agent: str = ""


NOWHERE = Origin()


class AuditEvent(Base):
    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
    )
    at: Mapped[float] = mapped_column(index=True)
    tag: Mapped[str]
    actor_id: Mapped[str | None] = mapped_column(index=True)
    tenant_id: Mapped[str | None] = mapped_column(index=True)
    client_id: Mapped[str | None]
    address: Mapped[str]
    request_id: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JsonText)


_COLUMNS = ("at", "tag", "actor_id", "tenant_id", "client_id", "address", "request_id", "detail")
_INSERT = sa.insert(AuditEvent.__table__).values(  # type: ignore[arg-type]
    {name: sa.bindparam(name, type_=sa.Text if name == "detail" else None) for name in _COLUMNS}
)


def record(
    db: Connection,
    tag: str,
    now: float,
    origin: Origin = NOWHERE,
    *,
    actor: str | None = None,
    tenant: str | None = None,
    client: str | None = None,
    **detail: Any,
) -> None:
    """`actor` and `tenant` are ids; `detail` is anything JSON that is no secret."""
    db.run(
        _INSERT,
        at=now,
        tag=_known(tag),
        actor_id=actor,
        tenant_id=tenant,
        client_id=client,
        address=origin.address,
        request_id=origin.request_id,
        detail=orjson.dumps(detail).decode(),
    )


def _known(tag: str) -> str:
    if tag not in TAGS:
        raise ValueError(f"an audit tag that nobody has described: {tag}")
    return tag
