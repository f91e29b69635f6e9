"""Tokens that are wanted for other products, row by row: the strictest of them decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory.catalog import ProductView
from idp.directory.upstream_providers import IdentityProviders, UpstreamProvider
from idp.login.next_step import next_step, required
from idp.login.steps import Asked, Done, PasswordState, Proven, Refused, Step, ToProve, step_of
from idp.policies.assurance import Proof
from idp.policies.password_age import AgeRule
from tests.rules.standings import ADMIN, ASKED, DAY, NOW, OFFICER, PAYMENTS, SIGNED_IN, entry

LENDING = replace(PAYMENTS, key="lms", name="LMS", permission_keys=frozenset({"loans.read"}))
STRICT = replace(LENDING, second_factor=True, second_factor_minutes=15)
OURS_ONLY = replace(LENDING, refuses_federated=True)
OPEN, CLOSED = entry(ADMIN), replace(entry(ADMIN), opens_targets=False)
AGED = replace(OPEN, password_ages=(AgeRule(90, 0.0), AgeRule(30, 0.0)))
GOOGLE = UpstreamProvider("google", "Google", "https://google.example", "us", "")
BY_GOOGLE = replace(
    SIGNED_IN,
    providers=IdentityProviders({"google": GOOGLE}),
    proofs={"federated": Proof(NOW - 60, 0, "google", NOW - 60)},
)
TURNED_BACK = Refused(Step.NOT_OPEN.error, Step.NOT_OPEN.words)


def aiming(*targets: ProductView) -> Asked:
    return replace(ASKED, targets=targets)


def app(seconds: float) -> Proven:
    """Whose app was used so long ago."""
    proofs = {"password": Proof(NOW - DAY / 4), "totp": Proof(NOW - seconds)}
    return replace(SIGNED_IN, proofs=proofs, enrolled=None)


def of_age(days: int) -> Proven:
    return replace(SIGNED_IN, password=PasswordState(NOW - days * DAY, ""))


ROWS = {
    "none of them open": (aiming(LENDING), SIGNED_IN, [CLOSED], Step.NOT_OPEN),
    "and the person turns back": (
        aiming(LENDING),
        replace(SIGNED_IN, turned_back=True),
        [CLOSED],
        TURNED_BACK,
    ),
    "all of them open": (aiming(LENDING), SIGNED_IN, [OPEN], Done(ADMIN)),
    "open in one tenant of two": (
        aiming(LENDING),
        SIGNED_IN,
        [CLOSED, entry(OFFICER)],
        Done(OFFICER),
    ),
    "a second factor that is young enough for it": (
        aiming(STRICT),
        app(15 * 60),
        [OPEN],
        Done(ADMIN),
    ),
    "and one that is not": (aiming(STRICT), app(15 * 60 + 1), [OPEN], Step.SECOND_FACTOR),
    "where nobody aims there": (aiming(), app(15 * 60 + 1), [OPEN], Done(ADMIN)),
    "the strictest of two": (aiming(LENDING, STRICT), SIGNED_IN, [OPEN], Step.ENROL),
    "another provider's word": (aiming(LENDING), BY_GOOGLE, [OPEN], Done(ADMIN)),
    "and a target that takes none": (aiming(OURS_ONLY), BY_GOOGLE, [OPEN], Step.PASSWORD),
    "a password that is young enough": (aiming(LENDING), of_age(29), [AGED], Done(ADMIN)),
    "and one that is not so": (aiming(LENDING), of_age(31), [AGED], Step.PASSWORD),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_target_is_a_way_into_its_product(row: str) -> None:
    asked, proven, entries, expected = ROWS[row]
    decision = next_step(asked, proven, entries, NOW)
    assert decision == expected or step_of(decision) is expected
    assert isinstance(decision, ToProve) is (expected is Step.SECOND_FACTOR)


def test_what_two_products_want_alike_is_one_demand() -> None:
    asked = replace(aiming(STRICT), essential_acr=("aal2",))
    assert len(required(asked, [OPEN]).demands) == 2
