"""The one decision: what still has to be asked before the product may be answered.

Pure. Every policy is a row here, so no page, link or provider can walk around one. The order is the
order in which a person meets the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from idp.directory.catalog import ProductView
from idp.directory.operator_standing import AnyStanding
from idp.policies import assurance
from idp.policies.sessions import Lifetimes

WALK = 300.0  # seconds that a person may take through the pages, whatever `max_age` says


class Step(Enum):
    """A page to show. `error` and `words` are what `prompt=none` is told instead (OpenID Connect
    Core section 3.1.2.6)."""

    PASSWORD = ("password", "login_required", "The person has to sign in.")
    SELECT_ACCOUNT = (
        *("select_account", "account_selection_required"),
        "The person has to choose an account.",
    )
    TENANT = ("tenant", "interaction_required", "The person has to choose a company.")
    CONSENT = ("consent", "consent_required", "The person has to allow it.")
    NOT_OPEN = (
        *("not_open", "access_denied"),
        "The person's roles do not open this product.",
    )

    def __init__(self, page: str, error: str, words: str) -> None:
        self.page = page
        self.error = error
        self.words = words


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request and the product ask. Without a `product`, signing in is all there is."""

    product: ProductView | None = None
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    hinted_subject: str | None = None
    tenant: str | None = None
    client_tenant_id: str | None = None
    essential_acr: tuple[str, ...] = ()
    scope: frozenset[str] = frozenset()
    needs_consent: bool = False


class Allowed(NamedTuple):
    """A consent that stands, by its id."""

    consent_id: str
    scope: frozenset[str]


@dataclass(frozen=True, slots=True)
class Proven:
    """What is known of the person. `is_fresh` means proven in this very attempt; `chosen_tenant_id`
    was chosen in it, the others are remembered, and those in `left_tenants` want another proof.
    `consented` was given in it, for `consented_tenant_id`; `allowed` before, by what it is for
    (`Standing.rests_on`)."""

    user_id: str | None = None
    auth_time: float = 0.0
    last_seen_at: float = 0.0
    acr: str = ""
    is_fresh: bool = False
    account_confirmed: bool = False
    other_account: bool = False
    chosen_tenant_id: str | None = None
    session_tenant_id: str | None = None
    left_tenants: frozenset[str] = frozenset()
    last_tenant_id: str | None = None
    consented: frozenset[str] = frozenset()
    consent_is_fresh: bool = False
    consented_tenant_id: str | None = None
    allowed: Mapping[str, Allowed] = field(default_factory=dict)
    turned_back: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to ask. `standing` is the membership that the product opens in, or the
    operator's, and `consent_id` the consent from before that it rests on."""

    standing: AnyStanding | None = None
    consent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing that could be asked would help: the client is told `error`."""

    error: str
    message: str


@dataclass(frozen=True, slots=True)
class ToAllow:
    """`Step.CONSENT`, and what the client would act by."""

    standing: AnyStanding


Decision = Step | ToAllow | Done | Refused


@dataclass(frozen=True, slots=True)
class Entry:
    """A membership, with the lifetimes that its tenant allows a session; or how somebody stands as
    an operator, with the platform's."""

    standing: AnyStanding
    lifetimes: Lifetimes


def next_step(asked: Asked, proven: Proven, entries: Sequence[Entry], now: float) -> Decision:
    """`entries` are all memberships of the person that have not ended, active or not; where a
    client of the platform's asks, how they stand as an operator, which is for no tenant."""
    if not _is_known(asked, proven, now):
        return Step.PASSWORD
    if "select_account" in asked.prompt and not (proven.account_confirmed or proven.is_fresh):
        return Step.SELECT_ACCOUNT
    if asked.product is None:
        return Done()
    open_entries = [e for e in entries if _opens(e, asked.product, asked)]
    if not open_entries:
        return _not_open(proven)
    entry = _entry(open_entries, asked, proven)
    if entry is None:
        return Step.TENANT
    if not _counts_in(entry, proven, now):
        return Step.PASSWORD
    if not assurance.satisfies(proven.acr, asked.essential_acr):
        return Refused("unmet_authentication_requirements", "The wanted acr can't be reached.")
    if asked.needs_consent and not _has_consented(asked, proven, entry):
        if proven.turned_back:
            return Refused("access_denied", "The person did not allow it.")
        return ToAllow(entry.standing)
    allowed = proven.allowed.get(entry.standing.rests_on)
    return Done(entry.standing, allowed.consent_id if allowed else None)


def _is_known(asked: Asked, proven: Proven, now: float) -> bool:
    """Somebody is signed in, is the one who was asked for, and recently enough."""
    if proven.user_id is None or proven.other_account:
        return False
    if asked.hinted_subject is not None and asked.hinted_subject != proven.user_id:
        return False
    age = now - proven.auth_time
    if proven.is_fresh:
        return asked.max_age is None or age <= max(asked.max_age, WALK)
    if "login" in asked.prompt:
        return False
    return asked.max_age is None or (asked.max_age > 0 and age <= asked.max_age)


def _counts_in(entry: Entry, proven: Proven, now: float) -> bool:
    """The tenant that the product opens in may allow shorter sessions than the platform, and may
    have signed this one out."""
    return proven.is_fresh or not (
        entry.standing.tenant_id in proven.left_tenants
        or entry.lifetimes.is_over(proven.auth_time, proven.last_seen_at, now)
    )


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
    in this attempt."""
    if proven.consent_is_fresh:
        is_for_it = proven.consented_tenant_id == entry.standing.tenant_id
        return is_for_it and asked.scope <= proven.consented
    allowed = proven.allowed.get(entry.standing.rests_on)
    return "consent" not in asked.prompt and allowed is not None and asked.scope <= allowed.scope
