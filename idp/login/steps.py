"""What the one decision is about: what is asked, what is known of the person and their memberships,
and what may be left to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from idp.directory.catalog import ProductView
from idp.directory.operator_standing import AnyStanding
from idp.directory.upstream_providers import IdentityProviders
from idp.policies import assurance
from idp.policies.assurance import FIRST, Proofs
from idp.policies.mfa import Requirement, Side
from idp.policies.password_age import AgeRule
from idp.policies.sessions import Lifetimes


class Step(Enum):
    """A page to show. `error` and `words` are what `prompt=none` is told instead (OpenID Connect
    Core section 3.1.2.6)."""

    PASSWORD = ("password", "login_required", "The person has to sign in.")
    SELECT_ACCOUNT = (
        *("select_account", "account_selection_required"),
        "The person has to choose an account.",
    )
    TENANT = ("tenant", "interaction_required", "The person has to choose a company.")
    SECOND_FACTOR = (
        *("second_factor", "interaction_required"),
        "The person has to prove a second factor.",
    )
    ENROL = ("enrol", "interaction_required", "The person has to set up a second factor.")
    NEW_PASSWORD = (
        *("new_password", "interaction_required"),
        "The person has to choose another password.",
    )
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
    """What the request and the product ask, and the `targets`: other products that tokens are
    wanted for, whose rules hold as well. Without a `product`, signing in is all there is: as well
    as the person's own companies want it, and with `own_level` by a second factor of theirs if they
    have one; `is_own_page` where that is for what is the person's own alone. `acr_values` are a
    wish, of which the least is met if that can be. A yes to `details`, as JSON, is for this request
    alone."""

    product: ProductView | None = None
    targets: tuple[ProductView, ...] = ()
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    hinted_subject: str | None = None
    tenant: str | None = None
    client_tenant_id: str | None = None
    essential_acr: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    own_level: bool = False
    is_own_page: bool = False
    is_operators_page: bool = False
    is_platform: bool = False
    scope: frozenset[str] = frozenset()
    details: str = ""
    needs_consent: bool = False

    @property
    def products(self) -> tuple[ProductView, ...]:
        """All that have a say."""
        return (self.product, *self.targets) if self.product else ()


class Allowed(NamedTuple):
    """A consent that stands, by its id."""

    consent_id: str
    scope: frozenset[str]


class Enrolled(NamedTuple):
    """An authenticator of the person's: its method, and when it was enrolled."""

    method: str
    enrolled_at: float


class PasswordState(NamedTuple):
    """`must_change` is why another one has to be chosen first, empty if it need not;
    `reset_by_mail_at` is when a letter last stood in for it."""

    changed_at: float
    must_change: str
    reset_by_mail_at: float | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """What is known of the person. Of `proofs`, those of the methods `fresh` were made in this very
    attempt, and `providers` may have made some of them; `enrolled` are the person's authenticators,
    None while nobody has looked. `chosen_tenant_id` was chosen in the attempt, the others are
    remembered, and those in `left_tenants` want another proof. `consented` was given in it, for
    `consented_tenant_id`; `allowed` before, by what it is for (`Standing.rests_on`).
    `first_enrolled_at` is when the person got their first second factor, in this attempt; `skipped`
    that they did without in it. `password` is None for whoever has none."""

    user_id: str | None = None
    email: str = ""
    is_operator: bool = False
    providers: IdentityProviders = field(default_factory=IdentityProviders)
    proofs: Proofs = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    enrolled: tuple[Enrolled, ...] | None = None
    first_enrolled_at: float = 0.0
    skipped: bool = False
    password: PasswordState | None = None
    last_seen_at: float = 0.0
    account_confirmed: bool = False
    other_account: bool = False
    chosen_tenant_id: str | None = None
    session_tenant_id: str | None = None
    left_tenants: frozenset[str] = frozenset()
    last_tenant_id: str | None = None
    consented: frozenset[str] = frozenset()
    consented_details: str = ""
    consent_is_fresh: bool = False
    consented_tenant_id: str | None = None
    allowed: Mapping[str, Allowed] = field(default_factory=dict)
    turned_back: bool = False

    @property
    def is_fresh(self) -> bool:
        """Signed in anew, not only added to."""
        return bool(self.fresh & FIRST)

    @property
    def auth_time(self) -> float:
        return assurance.auth_time(self.proofs)


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


@dataclass(frozen=True, slots=True)
class ToProve:
    """`Step.SECOND_FACTOR`: one of these `methods` of the person's, for the `requirement`; or, with
    `before_enrolling`, any that they have, before they may add one. None where nobody has looked
    which they have: the decision is then to be made again."""

    requirement: Requirement
    methods: frozenset[str] | None
    before_enrolling: bool = False


@dataclass(frozen=True, slots=True)
class ToEnrol:
    """`Step.ENROL`: the person has nothing that the `requirement` counts."""

    requirement: Requirement


@dataclass(frozen=True, slots=True)
class ToSignIn:
    """`Step.PASSWORD`, by nothing but the identity provider of that key."""

    provider_key: str


Decision = Step | ToAllow | ToProve | ToEnrol | ToSignIn | Done | Refused


@dataclass(frozen=True, slots=True)
class Entry:
    """A membership, with the lifetimes that its tenant allows a session, whose rules on second
    factors hold (`sides`, `is_granted`: `mfa.requirement`), how old a password may be, and whether
    it opens all of the targets; or how somebody stands as an operator, with the platform's."""

    standing: AnyStanding
    lifetimes: Lifetimes
    sides: tuple[Side, ...] = ()
    is_granted: bool = False
    password_ages: tuple[AgeRule, ...] = ()
    opens_targets: bool = True

    @property
    def is_guest(self) -> bool:
        """At home in another company: one of the `sides` is that one's."""
        return len(self.sides) > 1


def step_of(decision: Decision) -> Step | None:
    """The page that it shows, or None where nothing is left to ask."""
    if isinstance(decision, Step):
        return decision
    steps = {
        ToAllow: Step.CONSENT,
        ToProve: Step.SECOND_FACTOR,
        ToEnrol: Step.ENROL,
        ToSignIn: Step.PASSWORD,
    }
    return steps.get(type(decision))
