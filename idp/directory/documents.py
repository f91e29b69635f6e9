"""Documents that people uploaded: encrypted, of a tenant, found by an id that nobody can guess.

They are kept as they came and never opened, drawn or converted here: what is in one runs, if
anywhere, at who downloads it.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp.database import Base
from idp.directory.document_kinds import Kind, Unacceptable, kind_of
from idp.secret_values import SecretKeys, new_id
from idp.tenancy import TenantOwned

PURPOSE = "document {id}"


class Document(TenantOwned, Base):
    """`content_type` is what the content itself says; `size` is in bytes and `sha256` of the plain
    content; `sealed` is it encrypted, bound to `id`."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), index=True)
    content_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    sealed: Mapped[str] = mapped_column(deferred=True)
    uploaded_by: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    uploaded_at: Mapped[float]


class Content(NamedTuple):
    content_type: str
    extension: str
    data: bytes


class Sound(NamedTuple):
    """What may be kept."""

    kind: Kind
    data: bytes


def looked_at(data: bytes) -> Sound | Unacceptable:
    """Whether it is a PDF, PNG or JPEG. It may take a second: ask outside of a transaction."""
    try:
        return Sound(kind_of(data), data)
    except Unacceptable as problem:
        return problem


def keep(
    rows: Session, keys: SecretKeys, tenant_id: str, user_id: str, sent: Sound, now: float
) -> Document:
    document_id = new_id()
    kept = Document(
        id=document_id,
        tenant_id=tenant_id,
        content_type=sent.kind.content_type,
        size=len(sent.data),
        sha256=hashlib.sha256(sent.data).hexdigest(),
        sealed=keys.encrypt(sent.data, _purpose(document_id)),
        uploaded_by=user_id,
        uploaded_at=now,
    )
    rows.add(kept)
    rows.flush()
    return kept


def content_of(keys: SecretKeys, document: Document) -> Content:
    extension = document.content_type.partition("/")[2]
    return Content(
        document.content_type, extension, keys.decrypt(document.sealed, _purpose(document.id))
    )


def _purpose(document_id: str) -> str:
    return PURPOSE.format(id=document_id)
