"""The policy on second factors at the API. Nothing is saved that was not previewed: the `digest` of
a preview confirms it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.directory.acting import Administration, Mistake
from idp.directory.people import Wanted
from idp.errors import told
from idp.policies import second_factor_policy, second_factor_selection
from idp.policies.mfa import METHODS
from idp.policies.second_factor_policy import Proposal
from idp.policies.second_factor_selection import Pick, Picks
from idp.policies.second_factor_terms import LEAST_MINUTES, MOST_MINUTES, Terms
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Listing, Noun, Part, listed
from idp.web.manage.json_reading import Sent
from idp.web.manage.people_api import Kind, PeopleWanted, PersonLine

api = Noun("second_factors", told("Second factors"))

POLICY = f"{TENANT}/second-factor-policy"
NEEDS = second_factor_policy.PERMISSION
MINUTES = told("How long one stays fresh there; null is as long as the sign-in is good.")

Mode = Literal["off", "selected", "optional", "required"]
Method = Literal["passkey", "totp", "sms", "email"]


class ModesTold(Answer):
    staff: str
    customer: str
    organization: str


class ProductTermTold(Answer):
    product: str
    minutes: int | None = Field(description=MINUTES)


class SecondFactorPolicy(Answer):
    """`modes` are by kind of member; `products` are those that ask for one whoever it is."""

    modes: ModesTold
    methods: list[str]
    products: list[ProductTermTold]
    password_after_enrolment: bool
    reset_needs_second_admin: bool


class Modes(Sent):
    staff: Mode
    customer: Mode
    organization: Mode


class ProductTerm(Sent):
    product: str = Field(max_length=64)
    minutes: int | None = Field(None, ge=LEAST_MINUTES, le=MOST_MINUTES, description=MINUTES)


class NewTerms(Sent):
    """All of it. A passkey does everywhere, and is always among the methods."""

    modes: Modes
    methods: list[Method] = Field(max_length=len(METHODS))
    products: list[ProductTerm] = Field(max_length=200)
    password_after_enrolment: bool
    reset_needs_second_admin: bool


class Narrowed(Sent):
    """As in the list of people."""

    search: str = Field("", max_length=1000)
    status: Literal["active", "disabled"] | None = None
    kind: Kind | None = None
    role: str = Field("", max_length=64)


class NewPick(Sent):
    """Select them, or deselect: these memberships, or all whom `found_by` finds."""

    selected: bool
    ids: list[str] = Field([], max_length=second_factor_selection.MOST_NAMED)
    found_by: Narrowed | None = None


EXAMPLE: dict[str, Any] = {
    "terms": {
        "modes": {"staff": "required", "customer": "off", "organization": "off"},
        "methods": ["passkey", "totp"],
        "products": [{"product": "payments", "minutes": 15}],
        "password_after_enrolment": False,
        "reset_needs_second_admin": True,
    },
    "picks": [{"selected": True, "found_by": {"role": "agent"}}],
}


class Change(Sent):
    """Without `terms`, those that hold stay. Picks are made one after the other."""

    example: ClassVar[dict[str, Any]] = EXAMPLE

    terms: NewTerms | None = None
    picks: list[NewPick] = Field([], max_length=second_factor_selection.MOST_PICKS)


class ConfirmedChange(Change):
    example: ClassVar[dict[str, Any]] = {**EXAMPLE, "confirmed": "0" * 32}

    confirmed: str = Field(max_length=64, description=told("The `digest` of its preview."))


class AskedToEnrol(Answer):
    """`needs_a_key` tells that only a passkey or security key would do, so that they stay outside
    without one."""

    id: str
    name: str
    email: str
    kind: str
    needs_a_key: bool


class Preview(Answer):
    """Of so many `members`: who are asked to enrol as it is (`now`), who would be (`then`), and
    `items`, in parts: who would be and are not (`new`), of whom so many `need_a_key`. So many would
    be `selected` and `deselected`."""

    digest: str
    members: int
    now: int
    then: int
    new: int
    need_a_key: int
    selected: int
    deselected: int
    items: list[AskedToEnrol]
    next: str | None


class SelectedPerson(PersonLine):
    is_selected: bool


@api.get(POLICY, told("See who needs a second factor"), needs=NEEDS)
def show(admin: Administration) -> SecondFactorPolicy:
    terms = second_factor_policy.terms(admin)
    return SecondFactorPolicy.model_validate(
        {
            **terms._asdict(),
            "methods": [each for each in METHODS if each in terms.methods],
            "products": [{"product": key, "minutes": m} for key, m in terms.products.items()],
        }
    )


@api.get(f"{POLICY}/people", told("List who is selected to enrol"), needs=NEEDS)
def people(admin: Administration, query: PeopleWanted) -> Listing[SelectedPerson]:
    wanted = Wanted(query.search, query.status or "", query.kind or "", query.role)
    found = second_factor_policy.members(
        admin, provider().secret_keys, wanted, (), query.cursor, query.limit
    )
    rows = ({**row.person._asdict(), "is_selected": row.is_selected} for row in found.rows)
    return listed(SelectedPerson, rows, found.next)


@api.ask(f"{POLICY}/preview", told("See whom a change would ask to enrol"), needs=NEEDS)
def preview(admin: Administration, query: Part, body: Change) -> Preview:
    found = second_factor_policy.preview(
        admin, provider().secret_keys, _proposal(admin, body), query.cursor, query.limit
    )
    shown = found.preview._asdict()
    return Preview.model_validate({**shown, **found._asdict(), "items": shown["people"]})


@api.post(f"{POLICY}/change", told("Change who needs a second factor"), needs=NEEDS, status=200)
def change(admin: Administration, body: ConfirmedChange) -> SecondFactorPolicy:
    """What was previewed, if it would still do the same: else it is a conflict."""
    second_factor_policy.save(admin, _proposal(admin, body), body.confirmed)
    return show(admin)


def _proposal(admin: Administration, change: Change) -> Proposal:
    picks: Picks = ()
    for each in change.picks:
        picks = second_factor_selection.added(picks, _pick(each))
    return Proposal(_terms(admin, change.terms) if change.terms else None, picks)


def _pick(new: NewPick) -> Pick:
    if bool(new.ids) == bool(new.found_by):
        raise Mistake(picks=told("Name people, or say how to find them."))
    by = new.found_by
    wanted = Wanted(by.search, by.status or "", by.kind or "", by.role) if by else None
    return Pick(new.selected, tuple(new.ids), wanted)


def _terms(admin: Administration, new: NewTerms) -> Terms:
    minutes = {each.product: str(each.minutes or "") for each in new.products}
    return second_factor_policy.claimed_terms(
        admin,
        new.modes.model_dump(),
        new.methods,
        minutes,
        password_after_enrolment=new.password_after_enrolment,
        reset_needs_second_admin=new.reset_needs_second_admin,
    )
