"""Where somebody belongs who opens an account by themselves: the one rule (product.md S5). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from idp.directory import domain_names, tenants
from idp.directory.domain_holders import SIGN_UP, SIGN_UP_ROLE, SIGN_UP_SINCE, Holder, Stated
from idp.directory.domains import Doubt

APPROVAL = "approval"
ADMITTED = "admitted"
CLOSED = "closed"
STATEMENTS = (APPROVAL, ADMITTED, CLOSED)  # what a company may say, and what is shipped first
FOUNDER = "founder"


class Place(NamedTuple):
    """`way` is FOUNDER of a company of their own, or one of STATEMENTS, by the company `holder`."""

    way: str
    holder: Holder | None = None

    @property
    def role_key(self) -> str | None:
        """What they get, if they are ADMITTED."""
        role = self.holder.stated.role if self.holder else None
        return role.key if role and self.way == ADMITTED else None

    @property
    def is_suspended(self) -> bool:
        return self.holder is not None and self.holder.status != tenants.ACTIVE


def place_of(domain: str, holder: Holder | None) -> Place:
    """`holder` has verified the `domain` of their address. Nothing is shared by the domain of a
    public mailbox, whoever has verified it. Who is not admitted waits for approval. A company that
    is suspended, or says what we don't know, lets nobody in, and nobody founds another one by its
    domain."""
    if holder is None or domain_names.is_public_mailbox(domain):
        return Place(FOUNDER)
    if holder.status != tenants.ACTIVE:
        return Place(CLOSED, holder)
    if not holder.is_known_address and admits(holder.stated, holder.verified_at, holder.doubt):
        return Place(ADMITTED, holder)
    waits = holder.stated.way in (None, APPROVAL, ADMITTED)
    return Place(APPROVAL if waits else CLOSED, holder)


def admits(stated: Stated, verified_at: float | None, doubt: Doubt | None) -> bool:
    """Whether people of a domain come in by themselves. It has to have been verified when that was
    stated, since whoever may add domains may not let people in; and not to be in doubt: somebody
    else may read the mail of a domain that is being lost."""
    return (
        stated.way == ADMITTED
        and is_role_fit(stated)
        and is_before(verified_at, stated.since)
        and doubt is None
    )


def is_role_fit(stated: Stated) -> bool:
    """Whether people can be admitted with the role: it makes nobody an admin, and is the one that
    was meant, not another that was made since and has got its key (security.md S77)."""
    role = stated.role
    return role is not None and not role.administers and is_before(role.made_at, stated.since)


def is_before(at: float | None, since: float | None) -> bool:
    return at is not None and since is not None and at <= since


def dated(policy: Mapping[str, Any], before: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A company's policy that is stated now, with the time at which it came to say whom it admits;
    none if it admits nobody."""
    undated = {name: value for name, value in policy.items() if name != SIGN_UP_SINCE}
    if undated.get(SIGN_UP) != ADMITTED:
        return undated
    is_as_before = all(undated.get(name) == before.get(name) for name in (SIGN_UP, SIGN_UP_ROLE))
    since = before.get(SIGN_UP_SINCE) if is_as_before else None
    return {**undated, SIGN_UP_SINCE: now if since is None else since}
