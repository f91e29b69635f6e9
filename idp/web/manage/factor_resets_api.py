"""Why somebody needs a second factor, and the reset of what they have enrolled, at the API. A
person resets, who has proven a second factor of their own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from idp import explanation
from idp.directory import person
from idp.directory.acting import Administration
from idp.errors import told
from idp.explanation import Explained
from idp.grants import factor_reset, reset_requests
from idp.policies.mfa import METHODS
from idp.web import requirement_words
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.json_reading import Sent
from idp.web.manage.people_api import PERSON

api = Noun("factor_resets", told("People's second factors"))

FACTORS = f"{PERSON}/second-factors"
RESETS = f"{TENANT}/factor-resets"
RESET = f"{RESETS}/<reset_id>"
MANAGES = reset_requests.PERMISSION


class ProductWanted(Sent):
    product: str = Field("", max_length=64, description=told("The key of one product."))


class Reason(Answer):
    """`why` is for programs."""

    why: str
    sentence: str


class Counting(Answer):
    method: str
    enrolled_at: Moment


class Explanation(Answer):
    """For one product that opens for the person: who demands a second factor, by which `methods`,
    and how young; what they have that counts; and what comes `next` after their first factor
    (nothing, password, prove, enrol), which is `only_way` where the company takes nothing but that
    identity provider's word. password is a proof of their own beside that, and then to enrol. A
    second factor at the provider `trusted` would do as well."""

    product: str
    only_way: str | None
    trusted: str | None
    next: str
    reasons: list[Reason]
    methods: list[str]
    max_age_seconds: float | None
    may_skip: bool
    has_skipped: bool
    counting: list[Counting]


class FactorReset(Answer):
    """A reset that waits for another admin until `ends_at`. `member` is whose."""

    id: str
    member: str
    name: str
    asked_by: str
    asked_by_name: str
    asked_at: Moment
    ends_at: Moment


class ResetTold(Answer):
    """It is done, unless another admin has to approve it: then `waiting` says of which."""

    waiting: FactorReset | None


@api.get(FACTORS, told("See why a person needs a second factor"), needs="people.read")
def explain(admin: Administration, member: str, query: ProductWanted) -> Listing[Explanation]:
    """By what decides at their sign-in, for each product or for one."""
    someone = person.member(admin, member)
    found = explanation.to_admin(provider(), admin, someone)
    wanted = (each for each in found if query.product in ("", each.product.key))
    return listed(Explanation, map(_explained, wanted))


@api.post(
    f"{FACTORS}/reset",
    told("Reset a person's second factors"),
    needs=MANAGES,
    status=200,
    is_for_people=True,
)
def reset(admin: Administration, member: str) -> ResetTold:
    """They are signed out everywhere, and enrol anew where the policy demands it."""
    waits = factor_reset.reset(admin, member)
    return ResetTold(waiting=waits and _reset(waits))


@api.get(RESETS, told("List resets that wait for another admin"), needs=MANAGES)
def listing(admin: Administration, query: Part) -> Listing[FactorReset]:
    """The longest waiting first."""
    keys = provider().secret_keys
    found = reset_requests.waiting(admin, keys, query.cursor, query.limit)
    return listed(FactorReset, map(_reset, found.resets), found.next)


@api.post(f"{RESET}/approve", told("Approve a reset"), MANAGES, 204, is_for_people=True)
def approve(admin: Administration, reset_id: str) -> None:
    """By another admin than who asked."""
    factor_reset.approve(admin, reset_id)


@api.post(f"{RESET}/refuse", told("Refuse a reset"), MANAGES, 204, is_for_people=True)
def refuse(admin: Administration, reset_id: str) -> None:
    """Who asked takes it back by this."""
    factor_reset.refuse(admin, reset_id)


def _explained(found: Explained) -> dict[str, Any]:
    requirement = found.requirement
    is_required = bool(requirement.demands)
    return {
        "product": found.product.key,
        "only_way": found.only_way and found.only_way.key,
        "trusted": found.trusted and found.trusted.key,
        "next": found.next,
        "reasons": [
            {"why": demand.why, "sentence": requirement_words.reason(demand)}
            for demand in requirement.demands
        ],
        "methods": [each for each in METHODS if each in requirement.methods],
        "max_age_seconds": requirement.max_age,
        "may_skip": is_required and requirement.may_skip,
        "has_skipped": is_required and requirement.was_skipped,
        "counting": found.counting,
    }


def _reset(waits: reset_requests.Waiting) -> FactorReset:
    told = {"member": waits.membership_id, "name": waits.person, "ends_at": waits.ends_at}
    return FactorReset.model_validate({**waits._asdict(), **told})
