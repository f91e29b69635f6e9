"""How people are found and put in order in a tenant of any size: by words, and by a sort name.

Both are kept beside each membership. Whatever makes a membership, or changes a person's name or
address, calls `keep` in the same transaction.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.columns import ByteText
from idp.database import Base, Connection
from idp.directory.memberships import Membership
from idp.directory.users import User
from idp.tenancy import TenantOwned

MAX_WORDS = 24  # of one person
LAST = "\U0010ffff"  # after everything that begins the same
_ACCENTS = re.compile("[\u0300-\u036f]")
_PIECES = re.compile(r"\w+")


class PersonWord(TenantOwned, Base):
    """One word of a member's name or address, `folded`; they are found by how it begins, and with
    it comes their place in the order, so that a page is found without reading who is on it."""

    __tablename__ = "person_words"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            ondelete="CASCADE",
        ),
        sa.Index("ix_person_words_member", "membership_id", "tenant_id", "word"),
    )

    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(ByteText, primary_key=True)
    sort_name: Mapped[str] = mapped_column(ByteText, primary_key=True)
    membership_id: Mapped[str] = mapped_column(primary_key=True)


_MEMBERS: Any = Membership.__table__
_WORDS: Any = PersonWord.__table__
_MEMBERSHIPS_OF = (
    sa.select(_MEMBERS.c.id, _MEMBERS.c.tenant_id, User.name, User.email_canonical)
    .join_from(_MEMBERS, User.__table__, User.id == _MEMBERS.c.user_id)
    .where(_MEMBERS.c.user_id == sa.bindparam("user_id"))
)
_SORT_BY = (
    sa.update(_MEMBERS)
    .where(_MEMBERS.c.id == sa.bindparam("membership_id"))
    .values(sort_name=sa.bindparam("new_sort_name"))
)
_FORGET = sa.delete(_WORDS).where(_WORDS.c.membership_id == sa.bindparam("membership_id"))
_ADD = sa.insert(_WORDS).values(
    {name: sa.bindparam(name) for name in ("tenant_id", "word", "sort_name", "membership_id")}
)


def keep(db: Connection, user_id: str) -> None:
    """Write down anew how the person is found in each tenant that the transaction reaches. What the
    ORM has not flushed yet is not seen."""
    for membership_id, tenant_id, name, email in db.rows(_MEMBERSHIPS_OF, user_id=user_id):
        place = sort_name(name, email)
        db.run(_SORT_BY, membership_id=membership_id, new_sort_name=place)
        db.run(_FORGET, membership_id=membership_id)
        whose = {"tenant_id": tenant_id, "membership_id": membership_id, "sort_name": place}
        for word in words_of(name, email):
            db.run(_ADD, word=word, **whose)


def folded(text: str) -> str:
    """NFKC, case folded, without accents: José, JOSE and jose are the same to who looks for one."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", plain.casefold())


def sort_name(name: str, canonical_email: str) -> str:
    return " ".join(folded(name).split()) or canonical_email


def words_of(name: str, canonical_email: str) -> list[str]:
    """The name's words and their pieces, the address, the pieces of its local part, its domain."""
    address = folded(canonical_email)
    local, _, domain = address.partition("@")
    whole = folded(name).split()
    pieces = [piece for word in whole for piece in _PIECES.findall(word)]
    words = [*whole, address, domain, *pieces, *_PIECES.findall(local)]
    return list(dict.fromkeys(words))[:MAX_WORDS]
