"""Where somebody belongs who opens an account by themselves: the one rule (product.md S5). Pure."""

from __future__ import annotations

from typing import NamedTuple

from idp.directory import domain_names, tenants
from idp.directory.domain_holders import Holder

APPROVAL = "approval"
ADMITTED = "admitted"
CLOSED = "closed"
STATEMENTS = (APPROVAL, ADMITTED, CLOSED)  # what a company may say, and what is shipped first
FOUNDER = "founder"


class Place(NamedTuple):
    """`way` is FOUNDER of a company of their own, or one of STATEMENTS, by the company `holder`.
    `role_id` is what they get, if they are ADMITTED."""

    way: str
    holder: Holder | None = None
    role_id: str | None = None


def place_of(domain: str, holder: Holder | None) -> Place:
    """`holder` has verified the `domain` of their address. Nothing is shared by the domain of a
    public mailbox, whoever has verified it. Whom a company would admit waits for its approval while
    the role that it gives is gone, or would make an admin of them. One that is suspended, or says
    what we don't know, lets nobody in, and nobody founds another one by its domain."""
    if holder is None or domain_names.is_public_mailbox(domain):
        return Place(FOUNDER)
    if holder.status != tenants.ACTIVE:
        return Place(CLOSED, holder)
    if holder.stated == ADMITTED and holder.role and not holder.role.administers:
        return Place(ADMITTED, holder, holder.role.id)
    waits = holder.stated in (None, APPROVAL, ADMITTED)
    return Place(APPROVAL if waits else CLOSED, holder)


def domain_of(email: str) -> str | None:
    """Of a canonical address, in the letters of the DNS; None for one that no domain can have."""
    return domain_names.canonical(email.rpartition("@")[2])
