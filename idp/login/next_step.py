"""The one decision: what still has to be asked before the product may be answered.

Pure. Every policy is a row here, so no page, link or provider can walk around one. The order is the
order in which a person meets the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from idp.directory.catalog import ProductView
from idp.login.counting import (
    company_of,
    counting,
    counting_in,
    demanded,
    may_change_ways_in,
    spoken_for,
    vouched_by,
)
from idp.login.second_factor_step import has_own, second_factor
from idp.login.steps import (
    Asked,
    Decision,
    Done,
    Entry,
    Proven,
    Refused,
    Step,
    ToAllow,
    ToEnrol,
    ToSignIn,
)
from idp.policies import assurance, mfa, password_age
from idp.policies.assurance import (
    FEDERATED,
    FIRST,
    NEVER,
    PASSWORD,
    Proofs,
)
from idp.policies.mfa import Asking, Requirement
from idp.policies.sessions import WALK

CUSTOMER = "customer"


def next_step(asked: Asked, proven: Proven, entries: Sequence[Entry], now: float) -> Decision:
    """`entries` are all memberships of the person that have not ended, active or not; where a
    client of the platform's asks, how they stand as an operator, which is for no tenant."""
    if not _is_known(asked, proven, now):
        return Step.PASSWORD
    if "select_account" in asked.prompt and not (proven.account_confirmed or proven.is_fresh):
        return Step.SELECT_ACCOUNT
    if asked.product is None:
        theirs = spoken_for(asked, proven, entries, now)
        first = _first(asked, proven, theirs, now)
        return first or _more(asked, proven, theirs, entries, now) or Done()
    open_entries = opening(asked, entries)
    if not open_entries:
        return _not_open(proven)
    entry = _entry(open_entries, asked, proven)
    if entry is None:
        return Step.TENANT
    if not _counts_in(entry, proven, now):
        return Step.PASSWORD
    more = _first(asked, proven, [entry], now) or _more(asked, proven, [entry], entries, now)
    if more is not None:
        return more
    if asked.needs_consent and not _has_consented(asked, proven, entry):
        if proven.turned_back:
            return Refused("access_denied", "The person did not allow it.")
        return ToAllow(entry.standing)
    allowed = proven.allowed.get(entry.standing.rests_on)
    return Done(entry.standing, allowed.consent_id if allowed else None)


def opening(asked: Asked, entries: Sequence[Entry]) -> list[Entry]:
    """Those that the product opens in, as it is asked for."""
    return [each for each in entries if asked.product and _opens(each, asked.product, asked)]


def _is_known(asked: Asked, proven: Proven, now: float) -> bool:
    """Somebody is signed in, is the one who was asked for, and recently enough."""
    if proven.user_id is None or proven.other_account:
        return False
    if asked.hinted_subject is not None and asked.hinted_subject != proven.user_id:
        return False
    return not FIRST.isdisjoint(counting(asked, proven, now))


def _counts_in(entry: Entry, proven: Proven, now: float) -> bool:
    """The tenant that the product opens in may allow shorter sessions than the platform, and may
    have signed this one out."""
    return proven.is_fresh or not (
        entry.standing.tenant_id in proven.left_tenants
        or entry.lifetimes.is_over(proven.auth_time, proven.last_seen_at, now)
    )


def _first(asked: Asked, proven: Proven, going_on: Sequence[Entry], now: float) -> Decision | None:
    """The first factor, where what is known is not enough to go on as these entries: the company
    wants its own provider, or another company's has vouched for them."""
    for entry in going_on if asked.product else ():
        upstream = demanded(proven, entry)
        if upstream and vouched_by(asked, proven, going_on, now) != upstream.key:
            return ToSignIn(upstream.key)
    proofs = counting_in(asked, proven, going_on, now)
    return Step.PASSWORD if FIRST.isdisjoint(proofs) else None


def required(asked: Asked, entries: Iterable[Entry], *, own_level: bool = False) -> Requirement:
    """The second factor that it takes to go on as these `entries`."""
    asking = _asking(asked, own_level)
    each = [
        mfa.requirement(about, entry.sides, is_granted=entry.is_granted)
        for about in asking
        for entry in entries
        if entry.standing.is_active
    ]
    return mfa.together(each or [mfa.requirement(asking[0], ())])


def _asking(asked: Asked, own_level: bool) -> list[Asking]:
    """For each product that has a say."""
    essential = assurance.least(asked.essential_acr)
    acr = essential or assurance.least(asked.acr_values)
    is_essential = essential is not None
    return [
        Asking(product, acr, is_essential, asked.is_platform, own_level)
        for product in asked.products or (None,)
    ]


def _more(
    asked: Asked, proven: Proven, going_on: Sequence[Entry], entries: Sequence[Entry], now: float
) -> Decision | None:
    """What is still missing of somebody whose first factor counts: a second one, or another
    password."""
    if asked.essential_acr and assurance.least(asked.essential_acr) is None:
        return Refused("unmet_authentication_requirements", "The wanted acr can't be reached.")
    proofs = counting_in(asked, proven, going_on, now)
    new_password = _new_password(proven, proofs, going_on, now)
    own_level = asked.own_level and proven.enrolled != ()
    if new_password is Step.NEW_PASSWORD:
        own_level = own_level or has_own(proven, proofs, now)
    requirement = required(asked, going_on, own_level=own_level)
    second = second_factor(proven, proofs, requirement, entries, now)
    if isinstance(second, ToEnrol) and not may_change_ways_in(proven, entries, now):
        return Step.PASSWORD
    return second or _password_again(proven, proofs, going_on) or new_password


def _password_again(proven: Proven, proofs: Proofs, going_on: Iterable[Entry]) -> Step | None:
    """After a customer's first enrolment, where the company wants it so (product.md M6)."""
    if not proven.first_enrolled_at or proven.password is None:
        return None
    wanted = any(
        side.rules.password_after_enrolment and side.kind == CUSTOMER
        for entry in going_on
        for side in entry.sides
    )
    last = proofs.get(PASSWORD, NEVER).at
    return Step.PASSWORD if wanted and last <= proven.first_enrolled_at else None


def _new_password(
    proven: Proven, proofs: Proofs, going_on: Iterable[Entry], now: float
) -> Step | None:
    """Asked of those who have proven themselves by a password: one that must be changed, or is too
    old for what they open; the latter also of those who came by another provider of the platform's.
    The old one has just been proven, since nobody is asked for it on the way: else who found an
    open session would have the account."""
    if proven.password is None or not _is_held_to_its_password(proven, proofs):
        return None
    ages = [age for entry in going_on for age in entry.password_ages]
    due_at = password_age.due_at(ages, proven.password.changed_at, proven.user_id or "")
    is_due = due_at is not None and now >= due_at
    must_change = PASSWORD in proofs and proven.password.must_change
    if not (must_change or is_due):
        return None
    last = proofs.get(PASSWORD, NEVER).at
    is_recent = PASSWORD in proofs and (PASSWORD in proven.fresh or now - last <= WALK)
    return Step.NEW_PASSWORD if is_recent else Step.PASSWORD


def _is_held_to_its_password(proven: Proven, proofs: Proofs) -> bool:
    """Who comes by their company's own provider goes without."""
    if PASSWORD in proofs:
        return True
    return FEDERATED in proofs and company_of(proven, proofs[FEDERATED]) is None


def _not_open(proven: Proven) -> Decision:
    """The person reads why first; the product is told when they turn back."""
    if proven.turned_back:
        return Refused(Step.NOT_OPEN.error, Step.NOT_OPEN.words)
    return Step.NOT_OPEN


def _opens(entry: Entry, product: ProductView, asked: Asked) -> bool:
    """A client that belongs to a tenant opens in no other."""
    standing = entry.standing
    is_meant = asked.tenant in (None, standing.tenant)
    return (
        is_meant
        and asked.client_tenant_id in (None, standing.tenant_id)
        and standing.opens(product)
        and entry.opens_targets
    )


def _entry(entries: Sequence[Entry], asked: Asked, proven: Proven) -> Entry | None:
    """The membership to open the product in, or None if the person has to choose: what was chosen
    now, else the session's tenant, else the last one; the only one needs no choosing."""
    wanted = [proven.chosen_tenant_id]
    if "select_account" not in asked.prompt:
        wanted += [proven.session_tenant_id, proven.last_tenant_id]
    by_tenant = {entry.standing.tenant_id: entry for entry in entries}
    for tenant_id in wanted:
        if tenant_id in by_tenant:
            return by_tenant[tenant_id]
    return entries[0] if len(entries) == 1 else None


def _has_consented(asked: Asked, proven: Proven, entry: Entry) -> bool:
    """A yes is for one company: the one that the page named. `prompt=consent` wants it given again,
    in this attempt, and so do details, which are of one transaction (RFC 9396)."""
    if proven.consent_is_fresh:
        is_for_it = proven.consented_tenant_id == entry.standing.tenant_id
        is_all = asked.scope <= proven.consented and asked.details == proven.consented_details
        return is_for_it and is_all
    allowed = proven.allowed.get(entry.standing.rests_on)
    is_remembered = "consent" not in asked.prompt and not asked.details
    return is_remembered and allowed is not None and asked.scope <= allowed.scope
