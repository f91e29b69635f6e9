"""People at once: made as a set-up file makes them, with second factors enrolled by the rules that
everybody's are enrolled by.

They have been there for a while, so that nothing that must not be done twice within a minute, as
sending a code, has just been done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import orjson
import pyotp
import sqlalchemy as sa
from pydantic import Field

from idp import setup
from idp.audit import NOWHERE
from idp.commands.test_mode.authenticator import Authenticator
from idp.commands.test_mode.captured import Post
from idp.commands.test_mode.gate import Refused
from idp.credentials import challenges, passkeys, phone_numbers, sent_code, totp
from idp.credentials.challenges import Errand
from idp.credentials.phone_numbers import PhoneMistake
from idp.credentials.sent_code import ENROL, Place
from idp.database import Connection
from idp.directory import users
from idp.directory.products import CONSOLE
from idp.directory.tenants import Tenant
from idp.provider import Provider
from idp.registration.form import Form, PermissionKey, ProductKey, Slug
from idp.secret_values import new_secret
from idp.setup.form import Email

SINCE = 120.0  # seconds that they have been there for
HERE = "the control of a test"
COMPANY = "acme"
EVERYTHING = "everything"

Factor = Literal["totp", "sms", "email", "passkey"]


class PersonForm(Form):
    """Everything may be left out. Without roles and permissions, somebody may do everything in
    every product; a `password` of null is none."""

    email: Email | None = None
    name: str | None = None
    tenant: Slug = COMPANY
    kind: str = "staff"
    roles: list[str] | None = None
    permissions: dict[ProductKey, list[PermissionKey]] | None = None
    password: str | None = None
    factors: list[Factor] = Field(default=[])
    phone: str = ""
    status: str = "active"
    email_verified: bool = True
    operator: bool = False
    locale: str = "en"
    zoneinfo: str = "UTC"


@dataclass
class Account:
    """Of somebody, with all that they know and have."""

    id: str
    email: str
    password: str = ""
    phone: str = ""
    totp_secret: str = ""
    passkey: Authenticator | None = None

    def told(self) -> dict[str, Any]:
        known = {"id": self.id, "email": self.email, "password": self.password}
        more = {"phone": self.phone, "totp_secret": self.totp_secret}
        told: dict[str, Any] = {**known, **{name: value for name, value in more.items() if value}}
        return {**told, "passkey": self.passkey.exported()} if self.passkey else told


class People:
    """Those that were made, by address."""

    def __init__(self, held: Provider, post: Post) -> None:
        self._held = held
        self._post = post
        self.forget()

    def forget(self) -> None:
        self._made: dict[str, Account] = {}
        self._numbers: Iterator[int] = itertools.count(1)

    def find(self, email: str) -> Account | None:
        return self._made.get(users.canonical_email(email) or "")

    def make(self, form: PersonForm) -> Account:
        """Raises Refused, or SetupMistake for what can't be."""
        number, then = next(self._numbers), self._held.clock() - SINCE
        email = form.email or f"person-{number}@{form.tenant}.example"
        if self._id_of(email):
            raise Refused(409, f"There is {email} already.")
        is_told = "password" in form.model_fields_set
        password = (form.password or "") if is_told else new_secret()
        phone = self._phone(form, number)
        setup.apply(
            self._held,
            setup.read(self._described(form, email, password), {}, "the person"),
            then,
            base_dir=self._held.settings.keys_dir,
        )
        person = Account(self._id_of(email), email, password)
        self._made[users.canonical_email(email) or ""] = person
        for factor in form.factors:
            self._enrol[factor](person, phone, then)
        for to in (person.email, person.phone):
            self._post.throw_away(to)  # what they were told of it
        return person

    def give_passkey(self, email: str) -> Account:
        """To somebody who was made here. Raises Refused."""
        person = self.find(email)
        if person is None:
            raise Refused(404, f"{email or 'Nobody'} was made by POST /users.")
        self._give_passkey(person, "", self._held.clock() - SINCE)
        return person

    def _described(self, form: PersonForm, email: str, password: str) -> dict[str, Any]:
        role = self._role(form)
        roles = (form.roles or []) + ([role["key"]] if role else [])
        company = {"slug": form.tenant, "name": self._name_of(form.tenant)}
        own = ("status", "operator", "email_verified", "locale", "zoneinfo")
        person = {
            "email": email,
            "name": form.name or email.partition("@")[0],
            **{name: getattr(form, name) for name in own},
            **({"password": password} if password else {}),
            "memberships": [{"tenant": form.tenant, "kind": form.kind, "roles": roles}],
        }
        return {"tenants": [{**company, "roles": [role] if role else []}], "users": [person]}

    def _role(self, form: PersonForm) -> dict[str, Any] | None:
        """The one that gives just this, whoever else has it."""
        wanted, key = form.permissions, ""
        if wanted is None and form.roles is None:
            wanted, key = self._all_nodes(), EVERYTHING
        if wanted is None:
            return None
        digest = sha256(orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
        key = key or f"may-{digest}"
        return {"key": key, "name": key, "permissions": wanted}

    def _all_nodes(self) -> dict[str, list[str]]:
        products = self._held.catalog.newest(self._held.clock()).products.values()
        return {
            product.key: sorted(product.permission_keys)
            for product in products
            if not product.is_platform and product.key != CONSOLE
        }

    def _phone(self, form: PersonForm, number: int) -> str:
        """Empty where none is asked for."""
        if "sms" not in form.factors:
            return ""
        claimed = form.phone or f"+1201555{100 + number % 100:04}"
        try:
            return phone_numbers.read(self._held.settings, claimed)
        except PhoneMistake as mistake:
            raise Refused(400, f"phone: {mistake}") from None

    def _name_of(self, slug: str) -> str:
        with self._held.database.session(read_only=True) as session:
            name = session.scalar(sa.select(Tenant.name).where(Tenant.slug == slug))
        return name or slug.capitalize()

    def _id_of(self, email: str) -> str:
        with self._held.database.connection() as db:
            found = users.find_by_email(db, users.canonical_email(email) or "")
        return found.id if found else ""

    @property
    def _enrol(self) -> dict[Factor, Callable[[Account, str, float], None]]:
        return {
            "totp": self._give_app,
            "sms": lambda person, phone, then: self._have_codes_sent(person, "sms", phone, then),
            "email": lambda person, _, then: self._have_codes_sent(person, "email", "", then),
            "passkey": self._give_passkey,
        }

    def _give_app(self, person: Account, _phone: str, then: float) -> None:
        held = self._held
        offer = totp.offer(held.ephemeral, person.id, person.email, HERE, SINCE, then)
        stores = (held.database, held.ephemeral, held.secret_keys, _unheld)
        code = pyotp.TOTP(offer.secret).at(int(then))
        totp.enrol(*stores, person.id, HERE, code, then, NOWHERE)
        person.totp_secret = offer.secret

    def _have_codes_sent(self, person: Account, channel: str, phone: str, then: float) -> None:
        """`phone` is empty for their address."""
        held, place = self._held, Place(person.id, channel, ENROL, HERE)
        stores = (held.database, held.secret_keys, held.settings)
        sent_code.send(*stores, place, then, NOWHERE, number=phone)
        to = phone or person.email
        code = self._post.newest_code("sms" if phone else "mail", to)
        if not code:
            raise Refused(400, f"No code can be sent to {to}.")
        sent_code.enrol(*stores, _unheld, place, code, then, NOWHERE)
        person.phone = phone or person.phone

    def _give_passkey(self, person: Account, _phone: str, then: float) -> None:
        held, made = self._held, Authenticator(self._held.settings.issuer)
        errand = Errand(challenges.ENROL, HERE, "", person.id)
        with held.database.connection() as db:
            asked = (held.settings, held.ephemeral, db, errand, then)
            options = passkeys.ask_enrolment(*asked)
        stores = (held.database, held.ephemeral, held.settings, _unheld)
        passkeys.enrol(*stores, errand, made.create(options), "", then, NOWHERE)
        person.passkey = made


def _unheld(_db: Connection) -> None:
    """Nobody else is at this account yet."""
