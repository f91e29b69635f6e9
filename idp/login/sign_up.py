"""Opening an account by oneself: a letter proves the address first, and nobody is made before
(product.md S5; security.md S44, S60).

Whoever asks is answered at once and alike; the worker looks who it is. An address that has an
account gets a letter that says how to sign in, one that has none a link. Both go to the canonical
address, which is the one that is kept: another spelling may be another mailbox (S59).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from idp import audit, limits, outbox
from idp.audit import Origin
from idp.credentials import sign_up_links
from idp.database import Connection, Database
from idp.directory import domain_holders, domain_names, users
from idp.directory.users import Person, canonical_email
from idp.errors import PageRefusal, told
from idp.login import letters_asked
from idp.policies import belonging
from idp.policies.belonging import CLOSED, Place
from idp.secret_values import SecretKeys

MESSAGE = "sign_up"
MINUTE, DAY = 60.0, 86400.0
OF_ALL = (10_000, DAY)  # letters to addresses that have no account


class LinkOver(PageRefusal):
    """Unknown, used, too old, followed by two newer ones, of somebody who has an account by now:
    all the same."""

    def __init__(self) -> None:
        super().__init__(
            "sign_up_link_over",
            told("This link can't be used any more. Ask for a new one, or sign in."),
            "no such link",
            404,
        )


class Found(NamedTuple):
    """Whose link it is, and where they belong as it is now."""

    email: str
    product_key: str
    locale: str
    place: Place


def address(claimed: str) -> str | None:
    """The one form of an address that an account can be opened with, None for any other."""
    canonical = canonical_email(claimed)
    return canonical if canonical and domain_names.of_address(canonical) else None


def ask(
    database: Database,
    keys: SecretKeys,
    email: str,
    product_key: str,
    locale: str,
    now: float,
    origin: Origin,
) -> None:
    """For an `address`, anybody's or nobody's: the same work, and no answer. What is more than
    anybody may ask is dropped."""
    asked = {
        "email": email,
        "product": product_key,
        "locale": locale,
        "origin": list(origin),
        outbox.LEAVES_NOTHING: True,
    }
    with database.transaction() as db:
        if letters_asked.take(db, keys, "sign ups", email, now, origin):
            outbox.enqueue(db, MESSAGE, asked, now)


def write_letter(
    db: Connection, keys: SecretKeys, payload: Mapping[str, Any], issuer: str, now: float
) -> None:
    """What the worker makes of it. Somebody who is disabled hears nothing, and the log tells of
    nobody who has no account."""
    email, origin = payload["email"], Origin(*payload["origin"])
    person = users.find_by_email(db, email)
    if person is not None:
        if person.status == users.ACTIVE:
            _tell_owner(db, person, issuer, now, origin)
        return
    if not _take_room(db, now, origin):
        return
    letter: dict[str, Any] = {"to": email, "locale": payload["locale"], outbox.LEAVES_NOTHING: True}
    place = place_of(db, email)
    if place.way == CLOSED:
        letter |= {"template": "sign_up_closed", "is_suspended": place.is_suspended}
        outbox.enqueue(db, outbox.LETTER, letter, now)
        return
    whose = (keys, email, payload["product"], payload["locale"])
    link = sign_up_links.make(db, *whose, "/login/sign_up/open?token=", now)
    minutes = sign_up_links.LIFETIME_MINUTES
    letter |= {"template": "sign_up", "sealed_link": link}
    letter |= {"minutes": minutes, "expires_at": now + minutes * MINUTE}
    outbox.enqueue(db, outbox.CODE, letter, now)


def _take_room(db: Connection, now: float, origin: Origin) -> bool:
    """Of all letters to strangers. With the last one the operators are told that there are no
    more."""
    number = limits.ration(db, "sign ups", now, *OF_ALL)
    if number == OF_ALL[0]:
        audit.record(db, "sign_up.held_up", now, origin)
    return number is not None


def _tell_owner(db: Connection, person: Person, issuer: str, now: float, origin: Origin) -> None:
    audit.record(db, "sign_up.known", now, origin, person=person.id)
    letter = {"to": person.email, "name": person.name, "locale": person.locale}
    letter |= {"template": "sign_up_known", "url": f"{issuer}/"}
    outbox.enqueue(db, outbox.LETTER, letter, now)


def place_of(db: Connection, email: str) -> Place:
    """Of a canonical address."""
    domain = domain_names.of_address(email) or ""
    return belonging.place_of(domain, domain_holders.find(db, domain, email))


def look(database: Database, claimed_token: str, now: float) -> Found:
    """Changes nothing. Raises LinkOver."""
    with database.connection() as db:
        opened = sign_up_links.look(db, claimed_token, now)
        if opened is None or users.find_by_email(db, opened.email) is not None:
            raise LinkOver
        return Found(*opened, place_of(db, opened.email))
