"""What a person reads of the audit log: what is told of them alone, by nobody else's leave.

It is in the platform's chain, since signing in is for no company; what a company did with them,
that company's admins tell them.
"""

from __future__ import annotations

from typing import NamedTuple

from idp import audit
from idp.audit import Entry, Wanted
from idp.audit_chain import PLATFORM
from idp.database import Connection
from idp.directory import paging
from idp.secret_values import SecretKeys

PAGE = 30
SIGN_INS = "sign_in."
EVERYTHING = ""


class Page(NamedTuple):
    """`next` is the cursor of the page that follows, None on the last one."""

    events: list[Entry]
    next: str | None


def of(
    db: Connection, keys: SecretKeys, user_id: str, tag: str, cursor: str = "", size: int = PAGE
) -> Page:
    """The newest first; `tag` is SIGN_INS or EVERYTHING. Raises CursorRefused."""
    bound = ("own history", user_id, tag)
    older = int(paging.opened(keys, PLATFORM, bound, cursor)[0]) if cursor else None
    found = audit.search(db, PLATFORM, Wanted(tag, person=user_id), size, older)
    following = found.older and paging.seal(keys, PLATFORM, bound, (found.older,))
    return Page(found.entries, following or None)
