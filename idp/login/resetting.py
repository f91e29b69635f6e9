"""Forgotten passwords: a letter proves the address, and then another password is set (P5).

Whoever asks is answered at once and alike; the worker looks who it is (security.md S44). The link
leads to a new password, or to a second letter with a temporary one, as the person's companies want
it. Where one of them wants the first, it is that: it leaves nothing in the mailbox that still opens
anything, and so is the stricter. Neither signs anybody in, and both end all that went before, at
the moment of the reset (security.md S57).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from idp import audit, limits, outbox
from idp.audit import Origin
from idp.credentials import factors, password, password_links, temporary_passwords, tries
from idp.credentials.hashing import PasswordHasher
from idp.credentials.password_links import RESET
from idp.database import Connection, Database
from idp.directory import users
from idp.directory.users import Person
from idp.errors import PageRefusal, told
from idp.login import letters_asked, linking, new_password
from idp.login.new_password import Owner
from idp.policies.assurance import PASSKEY
from idp.secret_values import LETTER_SECRET, SecretKeys
from idp.settings import Settings

MESSAGE = "password_reset"
BY_LINK, BY_TEMPORARY_PASSWORD = "link", "temporary_password"
FORM = "password_reset"  # of a tenant's policy
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
OF_A_COMPANY = (10_000, DAY)


class LinkOver(PageRefusal):
    """Unknown, used, too old, of a newer one, of somebody who is disabled: all the same."""

    def __init__(self) -> None:
        super().__init__(
            "reset_link_over",
            told("This link can't be used any more. Ask for a new one."),
            "no such link",
            404,
        )


class Reset(NamedTuple):
    """What a link is good for: `form` is one of the two."""

    owner: Owner
    form: str


def ask(database: Database, keys: SecretKeys, email: str, now: float, origin: Origin) -> None:
    """For a canonical address, anybody's or nobody's: the same work, and no answer. What is more
    than anybody may ask is dropped."""
    with database.transaction() as db:
        if letters_asked.take(db, keys, "resets", email, now, origin):
            outbox.enqueue(db, MESSAGE, {"email": email, "origin": list(origin)}, now)


def write_letter(db: Connection, keys: SecretKeys, payload: Mapping[str, Any], now: float) -> None:
    """What the worker makes of it: for whoever can sign in by a password, a link."""
    person = users.find_by_email(db, payload["email"])
    if person is None or person.status != users.ACTIVE or not _take_room(db, person, now):
        return
    audit.record(db, "password.reset_asked", now, Origin(*payload["origin"]), person=person.id)
    letter: dict[str, Any] = {"to": person.email, "name": person.name, "locale": person.locale}
    if _does_without(db, person.id):
        outbox.enqueue(db, outbox.LETTER, {**letter, "template": "no_password"}, now)
        return
    whose = (keys, person.id, payload["email"], RESET)
    link = password_links.make(db, *whose, "/login/reset?token=", now)
    letter |= {"template": "password_reset", "sealed_link": link}
    minutes = password_links.LIFETIME_MINUTES
    letter |= {"minutes": minutes, "expires_at": now + minutes * MINUTE}
    outbox.enqueue(db, outbox.CODE, letter, now)


def _take_room(db: Connection, person: Person, now: float) -> bool:
    rations = [(f"resets:{each}", *OF_A_COMPANY) for each in tries.companies_of(db, person.id)]
    return limits.take_each(db, now, rations) is None


def _does_without(db: Connection, user_id: str) -> bool:
    """Somebody who has passkeys and no password gets none by mail: it would be a weaker way in."""
    if password.find_hash(db, user_id) is not None:
        return False
    return any(each.method == PASSKEY for each in factors.enrolled(db, user_id))


def look(database: Database, claimed_token: str, now: float) -> Reset:
    """Changes nothing. Raises LinkOver."""
    with database.connection() as db:
        opened = password_links.look(db, claimed_token, RESET, now)
        if opened is None:
            raise LinkOver
        owner = new_password.owner_of(db, opened.user_id)
        has_password = password.find_hash(db, owner.id) is not None
    return Reset(owner, _form(owner) if has_password else BY_LINK)


def _form(owner: Owner) -> str:
    forms = {orjson.loads(each.policy).get(FORM) for each in owner.companies}
    return BY_LINK if BY_LINK in forms else BY_TEMPORARY_PASSWORD


def send_temporary(
    database: Database,
    hasher: PasswordHasher,
    keys: SecretKeys,
    claimed_token: str,
    now: float,
    origin: Origin,
) -> None:
    """The link is confirmed: the old password is dead, and a temporary one is in the mail. Raises
    LinkOver, or Busy."""
    found = look(database, claimed_token, now)
    if found.form != BY_TEMPORARY_PASSWORD:
        raise LinkOver
    secret = temporary_passwords.make()
    hashed = hasher.hash(secret, found.owner.email)
    with database.transaction() as db:
        user_id = password_links.spend(db, claimed_token, RESET, now)
        if user_id is None:
            raise LinkOver
        temporary_passwords.keep(db, user_id, hashed, now)
        proven_at = password.reset_by_mail(db, user_id, temporary_passwords.TEMPORARY, now)
        linking.unlink_since(db, user_id, now - linking.RECENT, now, origin)
        new_password.end_what_went_before(db, user_id, proven_at, now, origin)
        audit.record(db, "password.reset", now, origin, actor=user_id, person=user_id)
        _post(db, keys, user_id, secret, now)


def _post(db: Connection, keys: SecretKeys, user_id: str, secret: str, now: float) -> None:
    """The secret alone: no link, and not whose it is."""
    person = users.find_person(db, user_id)
    assert person
    letter = {"template": "temporary_password", "to": person.email, "locale": person.locale}
    sealed = keys.encrypt(secret.encode(), LETTER_SECRET)
    hours = temporary_passwords.LIFETIME_HOURS
    about = {"sealed_code": sealed, "hours": hours, "expires_at": now + hours * HOUR}
    outbox.enqueue(db, outbox.CODE, {**letter, **about}, now)


def set_by_link(
    database: Database,
    hasher: PasswordHasher,
    keys: SecretKeys,
    settings: Settings,
    product_names: Iterable[str],
    claimed_token: str,
    claimed_new: str,
    now: float,
    origin: Origin,
) -> None:
    """The link is confirmed by the new password itself. Raises LinkOver, Unfit, or Busy."""
    found = look(database, claimed_token, now)
    if found.form != BY_LINK:
        raise LinkOver
    owner = found.owner
    prepared = new_password.prepare(database, hasher, settings, owner, product_names, claimed_new)
    try:
        with database.transaction() as db:
            if password_links.spend(db, claimed_token, RESET, now) is None:
                raise LinkOver
            new_password.keep(db, keys, owner, prepared, now, origin, way=new_password.RESET)
            password.reset_by_mail(db, owner.id, "", now)
            linking.unlink_since(db, owner.id, now - linking.RECENT, now, origin)
    except new_password.Lost:
        raise LinkOver from None
