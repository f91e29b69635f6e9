"""Letters about what the audit log tells, to whom `audit_concerns` says (product.md T10).

The order for them is put into the outbox with the event; the worker writes them, from the event as
it was recorded and the rows as they then are. Whoever did it is written to like the others: if it
was somebody else by their session, nobody else would notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit, outbox
from idp.audit import Entry
from idp.audit_concerns import CONCERNS
from idp.audit_concerns import Reader as Kind
from idp.database import Connection
from idp.directory import identity_providers, letters, readers
from idp.directory.clients import Client
from idp.directory.products import Product
from idp.directory.readers import Reader
from idp.directory.roles import Role
from idp.directory.tenants import Tenant

SAID = (
    "reason",
    "tries",
    "until",
    "kid",
    "method",
    "left",
    "label",
    "factors",
    "has_routed",
)  # of an event's detail
PLACES = {  # of a person
    "sign_in.new_device": "/account/sessions",
    "backchannel_request.asked": "/account/requests",
}
QUEUES = {  # of a company
    "person.second_factors_reset_asked": "/factor-resets",
    "join.asked": "/join-requests",
}
JOINING = ("join.asked", "join.admitted")  # by strangers, as often as they like
UNREACHABLE = ("tenant.suspended", "tenant.ended")  # there is no console to read about it in


class Company(NamedTuple):
    slug: str
    name: str


_COMPANY = sa.select(Tenant.slug, Tenant.name).where(Tenant.id == sa.bindparam("tenant_id"))
_CLIENT = sa.select(Client.client_name).where(Client.client_id == sa.bindparam("client_id"))
_PRODUCT = (
    sa.select(Product.name)
    .join(Client, Client.product_key == Product.key)
    .where(Client.client_id == sa.bindparam("client_id"))
)
_ROLE = sa.select(Role.name, Role.all_permissions).where(
    Role.tenant_id == sa.bindparam("tenant_id"), Role.key == sa.bindparam("role_key")
)


def write(db: Connection, chain: str, seq: int, issuer: str, now: float) -> None:
    """A letter to each reader of an event, once, by what concerns them most."""
    event = audit.find(db, chain, seq)
    if event is None or not _has_room(db, event, now):
        return
    written: set[str] = set()
    company = _company(db, event)
    common = _common(db, event, company)
    for kind, reader in _readers(db, event, now):
        if reader.id not in written:
            written.add(reader.id)
            letter = {"to": reader.email, "name": reader.name, "locale": reader.locale}
            letter |= {"reader": kind.name.lower(), "url": issuer + _path(event, company, kind)}
            outbox.enqueue(db, outbox.LETTER, {**common, **letter}, now)


def _has_room(db: Connection, event: Entry, now: float) -> bool:
    if event.tag not in JOINING or event.tenant_id is None:
        return True
    return letters.take_room_about_joining(db, event.tenant_id, event.tag, now)


def template(tag: str) -> str:
    """Below `templates/mail/`."""
    return tag.replace(".", "/")


def _readers(db: Connection, event: Entry, now: float) -> Iterator[tuple[Kind, Reader]]:
    for kind in sorted(CONCERNS[event.tag].readers, key=lambda each: each.value):
        for reader in _of_kind(db, event, kind, now):
            yield kind, reader


def _of_kind(db: Connection, event: Entry, kind: Kind, now: float) -> list[Reader]:
    if kind is Kind.PERSON:
        return readers.people(db, [event.person_id])
    if kind is Kind.ASKER:
        return readers.people(db, [event.detail.get("asked_by")])
    if kind is Kind.OPERATORS or event.tenant_id is None:
        return readers.operators(db)
    if kind is Kind.KEEPERS:
        return readers.who_may(db, event.tenant_id, "people.manage", now)
    if kind is Kind.PEERS and not _has_made_an_account_admin(db, event):
        return []
    if "account_admins" in event.detail:
        return readers.people(db, event.detail["account_admins"])
    return readers.account_admins(db, event.tenant_id, now)


def _has_made_an_account_admin(db: Connection, event: Entry) -> bool:
    given, _ = _roles_changed(event)
    return any(has_all for _, has_all in _roles(db, event, given))


def _roles_changed(event: Entry) -> tuple[list[str], list[str]]:
    """Keys of roles that somebody was given, and of those that were taken away."""
    before, after = (set(event.detail.get(name) or ()) for name in ("before", "after"))
    return sorted(after - before), sorted(before - after)


def _roles(db: Connection, event: Entry, keys: Iterable[str]) -> list[tuple[str, bool]]:
    """Names, and whether a role has all permissions; a role that is gone has its key alone."""
    rows = ((key, db.row(_ROLE, tenant_id=event.tenant_id, role_key=key)) for key in keys)
    return [(row[0], bool(row[1])) if row else (key, False) for key, row in rows]


def _common(db: Connection, event: Entry, company: Company | None) -> dict[str, Any]:
    """What all letters about an event say."""
    letter: dict[str, Any] = {
        "template": template(event.tag),
        "at": event.at,
        "company": company and company.name,
        "by": _name(db, event.actor_id) or _client(db, event.client_id),
        "about": _name(db, event.person_id),
        **{name: event.detail[name] for name in SAID if name in event.detail},
    }
    if event.tag.startswith("client."):
        letter["client"] = _client(db, event.detail["changed"])
    elif event.tag == "registration_token.made":
        letter["token_name"] = event.detail["token"]
    elif event.tag == "backchannel_request.asked":
        # A client may have named itself; the product it is of has its name from us.
        letter["product"] = _product(db, event.client_id)
    elif event.tag == "consent.given":
        letter["client"] = _client(db, event.client_id)
    elif event.tag == "sign_in.new_device":
        letter |= {"user_agent": event.detail["user_agent"], "address": event.address}
    elif event.tag in JOINING:
        # What they have typed as a name could be a link, and their address is proven.
        letter["by"] = letter["about"] = _address(db, event.person_id)
    elif event.tag.startswith(("domain.", "identity_provider.")):
        letter[event.tag.partition(".")[0]] = event.detail["name"]
    elif event.tag.startswith("account."):
        known = identity_providers.named(db, event.detail["provider"])
        letter |= {"provider": known and known.name, "is_companys": known and known.is_companys}
        letter["is_by_admin"] = event.actor_id != event.person_id
    elif event.tag == "person.roles_changed":
        given, taken = _roles_changed(event)
        letter["given"] = [name for name, _ in _roles(db, event, given)]
        letter["taken"] = [name for name, _ in _roles(db, event, taken)]
    return letter


def _company(db: Connection, event: Entry) -> Company | None:
    row = db.row(_COMPANY, tenant_id=event.tenant_id) if event.tenant_id else None
    return Company._make(row) if row else None


def _name(db: Connection, user_id: str | None) -> str:
    found = readers.people(db, [user_id])
    return (found[0].name or found[0].email) if found else ""


def _address(db: Connection, user_id: str | None) -> str:
    found = readers.people(db, [user_id])
    return found[0].email if found else ""


def _client(db: Connection, client_id: str | None) -> str:
    row = db.row(_CLIENT, client_id=client_id) if client_id else None
    return str(row[0]) if row else client_id or ""


def _product(db: Connection, client_id: str | None) -> str:
    row = db.row(_PRODUCT, client_id=client_id)
    return str(row[0]) if row else ""


def _path(event: Entry, company: Company | None, kind: Kind) -> str:
    """Where the reader can look at it, or do something about it."""
    if kind is Kind.PERSON:
        return PLACES.get(event.tag, "/account")
    if company is None:
        return f"/operate/audit/{event.name}"
    if kind is Kind.OPERATORS:
        return f"/operate/tenants/{company.slug}"
    if event.tag in UNREACHABLE:
        return ""
    is_of_member = kind is Kind.ASKER or event.tag == "join.admitted"
    member = f"/people/{event.detail['membership']}" if is_of_member else None
    place = member or QUEUES.get(event.tag, f"/audit/{event.name}")
    return f"/manage/{company.slug}{place}"
