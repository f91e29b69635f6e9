"""The people of a company, and one of them, at the API."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.credentials import unlocking
from idp.directory import people, person
from idp.directory.acting import Administration, NotFound
from idp.directory.people import Wanted
from idp.errors import told
from idp.grants import membership
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.json_reading import Sent

api = Noun("people", told("People"))

PEOPLE = f"{TENANT}/people"
PERSON = f"{PEOPLE}/<member>"
MANAGES = ("people.manage", "access.receive")

Kind = Literal["staff", "customer", "organization"]


class PeopleWanted(Part):
    search: str = Field("", max_length=1000, description=told("Beginnings of names or addresses."))
    status: Literal["active", "disabled", "ended"] | None = None
    kind: Kind | None = None
    role: str = Field("", max_length=64, description=told("The key of a role."))


class PersonLine(Answer):
    """`id` is the membership's, by which the person is named here; `roles` are names."""

    id: str
    user_id: str
    name: str
    email: str
    kind: str
    status: str
    source: str
    user_status: str
    roles: list[str]


class Person(Answer):
    """`roles` are keys."""

    id: str
    user_id: str
    name: str
    email: str
    locale: str | None
    email_verified_at: Moment | None
    user_status: str
    kind: str
    status: str
    source: str
    ends_at: Moment | None
    created_at: Moment
    roles: list[str]


class HeldRoles(Answer):
    """Keys of roles."""

    roles: list[str]


class NewRoles(Sent):
    """All that the person has from now on."""

    example: ClassVar[dict[str, Any]] = {"roles": ["agent", "analyst"]}

    roles: list[str] = Field(max_length=200)


class Lock(Answer):
    """After wrong passwords; None while sign-in is not paused."""

    until: Moment | None


class Session(Answer):
    id: str
    user_agent: str
    address: str
    started_at: Moment
    last_seen_at: Moment
    products: list[str]


class Receipt(Answer):
    """How a product was told: `status` is pending, delivered, refused or failed; `error` is what
    went wrong the last time, and a pending one is tried again at `again_at`."""

    client_name: str
    product_key: str
    status: str
    attempts: int
    error: str | None
    again_at: Moment
    finished_at: Moment | None


class SignOut(Answer):
    """The end of a session, and what each product was told that it had opened here."""

    session_id: str
    user_agent: str
    ended_at: Moment
    receipts: list[Receipt]


@api.get(PEOPLE, told("List people"), needs="people.read")
def listing(admin: Administration, query: PeopleWanted) -> Listing[PersonLine]:
    wanted = Wanted(query.search, query.status or "", query.kind or "", query.role)
    keys = provider().secret_keys
    page = people.people(admin, keys, wanted, query.cursor, query.limit)
    return listed(PersonLine, page.people, page.next)


@api.get(PERSON, told("See a person"), needs="people.read")
def show(admin: Administration, member: str) -> Person:
    return _person(admin, member)


@api.get(f"{PERSON}/roles", told("See a person's roles"), needs="people.read")
def roles_of(admin: Administration, member: str) -> HeldRoles:
    return HeldRoles(roles=_person(admin, member).roles)


@api.put(f"{PERSON}/roles", told("Give and take roles"), needs=MANAGES, current=roles_of)
def change_roles(admin: Administration, member: str, body: NewRoles) -> HeldRoles:
    held, wanted = set(_person(admin, member).roles), set(body.roles)
    person.change_roles(admin, member, wanted - held, held - wanted)
    return HeldRoles(roles=_person(admin, member).roles)


@api.post(f"{PERSON}/disable", told("Disable a person here"), needs=MANAGES, status=204)
def disable(admin: Administration, member: str) -> None:
    membership.disable(admin, member)


@api.post(f"{PERSON}/enable", told("Enable a person again"), needs=MANAGES, status=204)
def enable(admin: Administration, member: str) -> None:
    membership.enable(admin, member)


@api.get(f"{PERSON}/lock", told("See whether a person's sign-in is paused"), needs="people.read")
def lock(admin: Administration, member: str) -> Lock:
    until = unlocking.locked_until(admin, person.find_member(admin, member))
    return Lock.model_validate({"until": until})


@api.delete(f"{PERSON}/lock", told("Lift the pause of a person's sign-in"), needs="people.manage")
def unlock(admin: Administration, member: str) -> None:
    unlocking.unlock(admin, member)


@api.get(f"{PERSON}/sessions", told("See where a person is signed in"), needs="people.read")
def sessions(admin: Administration, member: str) -> Listing[Session]:
    someone = person.member(admin, member)
    return listed(Session, membership.open_sessions(admin, someone, _idle()))


@api.get(f"{PERSON}/sign-outs", told("See what products were told"), needs="people.read")
def sign_outs(admin: Administration, member: str) -> Listing[SignOut]:
    """At the last sign-outs, within thirty days."""
    return listed(SignOut, membership.sign_outs(admin, person.member(admin, member)))


@api.delete(f"{PERSON}/sessions", told("Sign a person out everywhere"), needs="people.manage")
def end_sessions(admin: Administration, member: str) -> None:
    membership.end_sessions(admin, member, _idle())


@api.delete(f"{PERSON}/sessions/<session>", told("End one session"), needs="people.manage")
def end_session(admin: Administration, member: str, session: str) -> None:
    if not membership.end_sessions(admin, member, _idle(), session):
        raise NotFound("no open session of that person")


def _person(admin: Administration, membership_id: str) -> Person:
    someone = person.find_member(admin, membership_id)
    held = [role.key for role in person.offered_roles(admin, someone) if role.has]
    return Person.model_validate({**someone._asdict(), "roles": sorted(held)})


def _idle() -> float:
    return provider().settings.session_idle_lifetime
