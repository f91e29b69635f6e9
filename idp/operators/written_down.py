"""What is written down of a tenant that has ended, before anything of it is taken away: lines of
JSON of who and what there was, and no secret of any.

It is read a piece at a time, so that nobody waits for it however many people there were. Nothing of
it changes meanwhile, since nobody gets in any more; whoever signs out was signed in at the end.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from idp.columns import joined_by_space
from idp.database import Connection
from idp.directory import company_providers, join_requests, memberships
from idp.directory.access_requests import OPEN, AccessRequest, Side
from idp.directory.clients import Client
from idp.directory.domains import Domain
from idp.directory.identity_providers import CompanyProvider
from idp.directory.invitations import Invitation
from idp.directory.join_requests import JoinRequest
from idp.directory.memberships import Membership, of_roles
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.federation.linked_accounts import LinkedAccount
from idp.grants.grant_row import Grant
from idp.sessions.browser import SsoSession

PIECE = 2000
YES_OR_NO = frozenset({"is_offline", "is_only_way"})
_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_THEN = sa.bindparam("then", type_=sa.Double)
_AFTER = sa.bindparam("after", type_=sa.Text)
_MOST = sa.bindparam("most", type_=sa.Integer)


class File(NamedTuple):
    """`packed` is its content, compressed (RFC 1950), and `digest` the SHA-256 of it."""

    name: str
    lines: int
    digest: str
    packed: bytes


def _by_pieces(statement: Any, key: Any) -> Any:
    """MOST rows behind AFTER, each with its key at the end."""
    return statement.add_columns(key).where(key > _AFTER).order_by(key).limit(_MOST)


_MEMBERSHIPS = (
    sa.select(Membership.id, Membership.user_id)
    .where(Membership.tenant_id == _TENANT, Membership.id > _AFTER)
    .order_by(Membership.id)
    .limit(_MOST)
)
_IS_THERE = Membership.status != memberships.ENDED
_HERE = _MEMBERSHIPS.where(_IS_THERE).subquery()
_PEOPLE = (
    sa.select(
        *(Membership.id, Membership.user_id, User.email, User.name, Membership.kind),
        *(Membership.status, Membership.source, Membership.access_request_id),
        *(Membership.only_products, Membership.ends_at, Membership.created_at),
        *(of_roles(joined_by_space(Role.key)), Membership.id),
    )
    .select_from(Membership)
    .join(User, User.id == Membership.user_id)
    .where(Membership.id.in_(sa.select(_HERE.c.id)))
    .order_by(Membership.id)
)
_SOME = _MEMBERSHIPS.subquery()
_SIGN_INS = (
    sa.select(
        *(Grant.id, Grant.user_id, Grant.client_id, Grant.session_id, Grant.scope),
        *(Grant.is_offline, Grant.auth_time, Grant.created_at, Grant.expires_at),
        _SOME.c.id,
    )
    .select_from(_SOME)
    .outerjoin(
        sa.join(Grant, SsoSession, SsoSession.id == Grant.session_id),
        sa.and_(
            Grant.user_id == _SOME.c.user_id,
            Grant.membership_id == _SOME.c.id,
            sa.or_(Grant.ended_at.is_(None), Grant.ended_at > _THEN),
            Grant.expires_at > _THEN,
            sa.or_(Grant.is_offline, SsoSession.ended_at.is_(None), SsoSession.ended_at > _THEN),
        ),
    )
    .order_by(_SOME.c.id, Grant.id)
)
_CLIENTS = _by_pieces(
    sa.select(
        *(Client.client_id, Client.client_name, Client.product_key, Client.status),
        *(Client.scope, sa.type_coerce(Client.permissions, sa.Text), Client.created_at),
    ).where(Client.tenant_id == _TENANT),
    Client.client_id,
)
FILES: dict[str, tuple[sa.Executable, tuple[str, ...]]] = {
    "people.jsonl": (
        _PEOPLE,
        (
            *("membership_id", "user_id", "email", "name", "kind", "status", "source"),
            *("access_request_id", "only_products", "ends_at", "created_at", "roles"),
        ),
    ),
    "sign-ins.jsonl": (
        _SIGN_INS,
        (
            *("grant_id", "user_id", "client_id", "session_id", "scope", "is_offline"),
            *("auth_time", "created_at", "expires_at"),
        ),
    ),
    "clients.jsonl": (
        _CLIENTS,
        (
            *("client_id", "client_name", "product", "status", "scope", "permissions"),
            "created_at",
        ),
    ),
}

FILES["invitations.jsonl"] = (
    _by_pieces(
        sa.select(
            *(Invitation.id, Invitation.email, Invitation.kind, Invitation.invited_by),
            *(Invitation.created_at, Invitation.expires_at),
        ).where(
            Invitation.tenant_id == _TENANT,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        ),
        Invitation.id,
    ),
    ("invitation_id", "email", "kind", "invited_by", "created_at", "expires_at"),
)
FILES["join-requests.jsonl"] = (
    _by_pieces(join_requests.WHO_WAITS, JoinRequest.id),
    join_requests.WHO_WAITS_COLUMNS,
)
FILES["domains.jsonl"] = (
    _by_pieces(
        sa.select(Domain.name, Domain.created_at, Domain.verified_at).where(
            Domain.tenant_id == _TENANT
        ),
        Domain.name,
    ),
    ("name", "created_at", "verified_at"),
)
_PROVIDER = ("id", *company_providers.TOLD, "created_at")
FILES["identity-providers.jsonl"] = (
    _by_pieces(
        sa.select(*(getattr(CompanyProvider, name) for name in _PROVIDER)).where(
            CompanyProvider.tenant_id == _TENANT
        ),
        CompanyProvider.id,
    ),
    ("provider_id", *_PROVIDER[1:]),
)
_LINKED = ("user_id", "provider_key", "issuer", "subject", "email", "linked_at")
FILES["linked-accounts.jsonl"] = (
    _by_pieces(
        sa.select(*(getattr(LinkedAccount, name) for name in _LINKED)).where(
            LinkedAccount.company_id == _TENANT
        ),
        LinkedAccount.id,
    ),
    ("user_id", "provider_id", *_LINKED[2:]),
)
_receiving = aliased(Tenant)
_IS_ASKED = AccessRequest.tenant_id == _TENANT
FILES["access.jsonl"] = (
    _by_pieces(
        sa.select(
            AccessRequest.id,
            sa.case(
                (_IS_ASKED, sa.literal(str(Side.ASKING))), else_=sa.literal(str(Side.RECEIVING))
            ),
            *(AccessRequest.user_id, User.email, User.name),
            sa.case(
                (_IS_ASKED, sa.func.coalesce(_receiving.name, AccessRequest.receiving_name)),
                else_=Tenant.name,
            ),
            *(AccessRequest.products, AccessRequest.status, AccessRequest.membership_id),
            *(AccessRequest.asked_at, AccessRequest.decided_at, AccessRequest.configured_at),
            AccessRequest.ends_at,
        )
        .join(User, User.id == AccessRequest.user_id)
        .join(Tenant, Tenant.id == AccessRequest.tenant_id)
        .outerjoin(_receiving, _receiving.id == AccessRequest.receiving_tenant_id)
        .where(
            sa.or_(_IS_ASKED, AccessRequest.receiving_tenant_id == _TENANT),
            AccessRequest.status.in_(sa.literal_column(f"'{each}'") for each in OPEN),
        ),
        AccessRequest.id,
    ),
    (
        *("access_request_id", "side", "user_id", "email", "name", "other_company", "products"),
        *("status", "membership_id", "asked_at", "decided_at", "configured_at", "ends_at"),
    ),
)


def write(
    db: Connection, tenant_id: str, then: float, most: int | None = None
) -> list[File] | None:
    """All FILES, of a tenant that ended `then`; None where one takes more than `most` rows."""
    files = []
    for name in FILES:
        packer, digest, packed, lines = zlib.compressobj(), sha256(), b"", 0
        for number, piece in enumerate(_pieces(db, name, tenant_id, then, most or PIECE)):
            if most and number:
                return None
            content = b"".join(piece)
            digest.update(content)
            packed += packer.compress(content)
            lines += len(piece)
        files.append(File(name, lines, digest.hexdigest(), packed + packer.flush()))
    return files


def _pieces(
    db: Connection, name: str, tenant_id: str, then: float, most: int
) -> Iterator[list[bytes]]:
    """The rows of `most` keys at once."""
    statement, columns = FILES[name]
    after, is_more = "", True
    while is_more:
        rows = db.rows(statement, tenant_id=tenant_id, then=then, after=after, most=most)
        yield [_line(columns, row[:-1]) for row in rows if row[0] is not None]
        is_more = len({row[-1] for row in rows}) == most
        after = rows[-1][-1] if rows else after


def _line(columns: tuple[str, ...], row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(_told(dict(zip(columns, row, strict=True)))) + b"\n"


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Lists as lists, whatever they are kept as."""
    if "roles" in row:
        row["roles"] = sorted(set((row["roles"] or "").split()))
    if isinstance(row.get("permissions"), str):
        row["permissions"] = orjson.loads(row["permissions"])
    for name in YES_OR_NO.intersection(row):
        row[name] = bool(row[name])
    return row
