"""An account that somebody opens by themselves: the link is spent, and they are somebody
(product.md S5; `login/sign_up.py` is what comes before).

All of it or nothing, in one transaction: the person with a verified address and a password, and
where they belong. Nobody is signed in by it: the way in leads through `/authorize`.
"""

from __future__ import annotations

import re
import unicodedata
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import audit, tenancy
from idp.audit import Origin
from idp.credentials import sign_up_links
from idp.credentials.networks import site_of
from idp.database import Connection, Database
from idp.directory import granting, join_requests, joining
from idp.directory.joining import UNINVITED
from idp.directory.roles import ACCOUNT_ADMIN, Role
from idp.login import new_password, sign_up
from idp.login.new_password import Lost, Owner, Prepared
from idp.login.sign_up import Found, LinkOver
from idp.policies.belonging import ADMITTED, APPROVAL, CLOSED, FOUNDER, Place
from idp.policies.password_rules import Company
from idp.registration import tenants
from idp.registration.tenant_form import TenantForm
from idp.secret_values import SecretKeys

MAX_SLUG = 40
SLUG_OF_NONE = "company"


class ElsewhereNow(Exception):
    """They belong elsewhere than when they looked. It is no refusal, which would commit what was
    written so far."""


def owner_of(found: Found, name: str, company: str) -> Owner:
    """Whoever is going to have an account, by the rules of the company where they belong."""
    holder = found.place.holder
    told = (holder.name, holder.policy) if holder else (company, "{}")
    theirs = Company(*told, UNINVITED)
    return Owner("", found.email, name, (theirs,))


def open_account(
    database: Database,
    secret_keys: SecretKeys,
    claimed_token: str,
    owner: Owner,
    prepared: Prepared,
    company: str,
    now: float,
    origin: Origin,
) -> None:
    """Of any number who come at once, one does. `company` is what the founder of one calls it,
    empty for who belongs to another. Raises LinkOver; or ElsewhereNow, and then the link is as good
    as before."""
    try:
        with tenancy.every_tenant(database) as rows:
            db = Connection.of(database, rows)
            opened = sign_up_links.spend(db, claimed_token, now)
            if opened is None or opened.email != owner.email:
                raise Lost
            place = _place_in_turn(rows, db, opened.email)
            if place.way == CLOSED or (place.way == FOUNDER) != bool(company):
                raise ElsewhereNow
            made = owner._replace(id=_make_user(db, owner, opened.locale, now))
            new_password.keep(
                *(db, secret_keys, made, prepared, now, origin), way=new_password.SIGNED_UP
            )
            _settle(rows, db, secret_keys, place, made, company, now, origin)
    except Lost:
        raise LinkOver from None


def _place_in_turn(rows: Session, db: Connection, email: str) -> Place:
    """As the company has it that holds the domain, once whoever changes it has finished."""
    place = sign_up.place_of(db, email)
    if place.holder is None:
        return place
    granting.wait_for_turn_of(rows, place.holder.tenant_id)
    again = sign_up.place_of(db, email)
    if again.holder is None or again.holder.tenant_id != place.holder.tenant_id:
        raise ElsewhereNow
    return again


def _make_user(db: Connection, owner: Owner, locale: str, now: float) -> str:
    address = (owner.email, owner.email)
    made = joining.make_user(db, *address, owner.name, locale, now, verified_at=now)
    if made is None:
        raise Lost
    return made


def _settle(
    rows: Session,
    db: Connection,
    secret_keys: SecretKeys,
    place: Place,
    person: Owner,
    company: str,
    now: float,
    origin: Origin,
) -> None:
    holder, key = place.holder, place.role_key
    if holder is None:
        network = secret_keys.blind(site_of(origin.address))
        tenant_id = _founded(rows, db, person, network, company, now, origin)
        key = ACCOUNT_ADMIN
    else:
        tenant_id = holder.tenant_id
    membership = _join(rows, db, person.id, tenant_id, key, now) if key else None
    by: dict[str, Any] = {"actor": person.id, "tenant": tenant_id, "person": person.id}
    done: dict[str, Any] = {
        "way": place.way,
        "membership": membership,
        "after": [key] if key else [],
    }
    audit.record(db, "sign_up.done", now, origin, **by, **done)
    if place.way == ADMITTED:
        audit.record(db, "join.admitted", now, origin, **by, membership=membership)
    elif place.way == APPROVAL:
        join_requests.ask(db, tenant_id, person.id, person.email, now, origin)


def _join(
    rows: Session, db: Connection, user_id: str, tenant_id: str, key: str, now: float
) -> str | None:
    own = sa.select(Role.id).where(Role.tenant_id == tenant_id, Role.key == key)
    return joining.join(db, user_id, tenant_id, UNINVITED, [rows.scalars(own).one()], now)


def _founded(
    rows: Session,
    db: Connection,
    founder: Owner,
    network: str,
    company: str,
    now: float,
    origin: Origin,
) -> str:
    form = TenantForm(slug=slug_of(company), name=company, confirmed=False)
    try:
        with rows.begin_nested():
            tenant = tenants.make(rows, form, now)
            tenant.founded_email, tenant.founded_from = founder.email, network
    except sa.exc.IntegrityError:
        raise ElsewhereNow from None  # the slug was had already: they try another one
    about = {"actor": founder.id, "tenant": tenant.id, "slug": tenant.slug}
    audit.record(db, "tenant.created", now, origin, **about)  # no stranger's words, which stay
    return tenant.id


def slug_of(company: str) -> str:
    """What the name gives in plain letters, and six signs by chance: whoever names their company
    like another one learns nothing of it, and takes nothing from it."""
    plain = unicodedata.normalize("NFKD", company).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_SLUG].strip("-")
    begin = words if re.match(r"[a-z]", words) else f"{SLUG_OF_NONE}-{words}".strip("-")
    return f"{begin}-{token_hex(3)}"
