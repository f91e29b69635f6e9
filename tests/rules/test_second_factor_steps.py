"""Which second factor is asked for, and when: the rows of the one decision that are about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, Entry, Proven, Step
from idp.policies.assurance import Proof
from idp.policies.mfa import KindRule, Mode, TenantRules
from tests.rules.second_factor_rows import (
    ASKED,
    CODES,
    DONE,
    ENROL,
    FREE,
    HAS_TOTP,
    LENDER,
    ONE_FACTOR,
    PLAIN,
    PROVE_TOTP,
    REQUIRED,
    SMS,
    STRICT,
    STRICT_HERE,
    TOTP,
    WITH_PASSKEY,
    at,
    proven,
    shape,
)
from tests.rules.standings import NOW, PAYMENTS

ROWS: dict[str, tuple[Asked, Proven, list[Entry], object]] = {
    "nothing demands one": (PLAIN, ONE_FACTOR, FREE, DONE),
    "the product does, and nothing is enrolled": (ASKED, ONE_FACTOR, FREE, ENROL),
    "the product does, and something is": (ASKED, HAS_TOTP, FREE, PROVE_TOTP),
    "nobody has looked yet what is enrolled": (
        ASKED,
        replace(ONE_FACTOR, enrolled=None),
        FREE,
        ("prove", None, False),
    ),
    "proven freshly enough": (ASKED, proven("totp", 15 * 60), FREE, DONE),
    "proven too long ago for the product": (ASKED, proven("totp", 15 * 60 + 1), FREE, PROVE_TOTP),
    "proven too long ago for it, and another doesn't mind": (
        PLAIN,
        proven("totp", 15 * 60 + 1),
        REQUIRED,
        DONE,
    ),
    "in this attempt nobody has to hurry": (
        replace(ASKED, product=replace(STRICT, second_factor_minutes=1)),
        replace(proven("totp", 290), fresh=frozenset({"totp"})),
        FREE,
        DONE,
    ),
    "nor dawdle": (
        replace(ASKED, product=replace(STRICT, second_factor_minutes=1)),
        replace(proven("totp", 301), fresh=frozenset({"totp"})),
        FREE,
        PROVE_TOTP,
    ),
    "what is older than the minutes that are allowed is not of this attempt": (
        replace(ASKED, product=replace(STRICT, second_factor_minutes=1)),
        proven("totp", 61),
        FREE,
        PROVE_TOTP,
    ),
    "a company demands one for the product alone": (PLAIN, HAS_TOTP, STRICT_HERE, PROVE_TOTP),
    "and not for another": (
        replace(PLAIN, product=replace(PAYMENTS, key="lms")),
        HAS_TOTP,
        [replace(STRICT_HERE[0], standing=LENDER)],
        Done(LENDER),
    ),
    "the shortest time counts": (ASKED, proven("totp", 301), STRICT_HERE, PROVE_TOTP),
    "what the product and the company take together": (
        ASKED,
        proven("totp", 300),
        STRICT_HERE,
        DONE,
    ),
    "a recovery code stands in for what a company allows": (
        PLAIN,
        proven("recovery", 60),
        STRICT_HERE,
        DONE,
    ),
    "a key is allowed as a passkey is": (PLAIN, proven("security_key", 60), STRICT_HERE, DONE),
    "a passkey is both factors": (ASKED, WITH_PASSKEY, FREE, DONE),
    "a lapsed passkey is the first alone": (
        ASKED,
        replace(ONE_FACTOR, proofs={"lapsed_passkey": Proof(NOW - 60)}),
        FREE,
        ENROL,
    ),
    "a code by SMS does for a product": (ASKED, proven("sms", 60), FREE, DONE),
    "but not for a company that does not allow it": (
        PLAIN,
        replace(proven("sms", 60), enrolled=(SMS, TOTP)),
        at(
            Mode.REQUIRED,
            rules=TenantRules(
                {"staff": KindRule(Mode.REQUIRED, 0.0)}, frozenset({"passkey", "totp"}), {}, False
            ),
        ),
        PROVE_TOTP,
    ),
    "nor for a class": (
        replace(PLAIN, essential_acr=("aal2",)),
        replace(proven("sms", 60), enrolled=(SMS,)),
        FREE,
        ENROL,
    ),
    "recovery codes stand in for an app": (
        replace(PLAIN, essential_acr=("aal2",)),
        replace(ONE_FACTOR, enrolled=(TOTP, CODES)),
        FREE,
        ("prove", frozenset({"totp", "recovery"}), False),
    ),
    "but not for the app that nobody has": (
        replace(PLAIN, essential_acr=("aal2",)),
        replace(proven("sms", 60), enrolled=(SMS, CODES)),
        FREE,
        ENROL,
    ),
    "one that was used reaches the class all the same": (
        replace(PLAIN, essential_acr=("aal2",)),
        replace(proven("recovery", 60), enrolled=(SMS, CODES)),
        FREE,
        DONE,
    ),
    "a class is reached by an app": (
        replace(PLAIN, essential_acr=("aal2",)),
        proven("totp", 60),
        FREE,
        DONE,
    ),
    "the higher one is not": (
        replace(PLAIN, essential_acr=("phr",)),
        proven("totp", 60),
        FREE,
        ENROL,
    ),
    "of several classes the least will do": (
        replace(PLAIN, acr_values=("phr", "aal2")),
        proven("totp", 60),
        FREE,
        DONE,
    ),
    "a wish is asked for": (replace(PLAIN, acr_values=("aal2",)), HAS_TOTP, FREE, PROVE_TOTP),
    "a wish that the person can't meet may be skipped": (
        replace(PLAIN, acr_values=("aal2",)),
        replace(ONE_FACTOR, skipped=True),
        FREE,
        DONE,
    ),
    "an essential class may not": (
        replace(PLAIN, essential_acr=("aal2",)),
        replace(ONE_FACTOR, skipped=True),
        FREE,
        ENROL,
    ),
    "a wish for what we do not know is none": (
        replace(PLAIN, acr_values=("aal7",)),
        ONE_FACTOR,
        FREE,
        DONE,
    ),
    "max_age counts for both factors": (
        replace(PLAIN, acr_values=("aal2",), max_age=600),
        replace(proven("totp", 601), proofs={"password": Proof(NOW - 5), "totp": Proof(NOW - 601)}),
        FREE,
        PROVE_TOTP,
    ),
    "an old first factor is asked for before the second": (
        replace(PLAIN, acr_values=("aal2",), max_age=600),
        proven("totp", 5),
        FREE,
        Step.PASSWORD,
    ),
    "prompt=login asks for both again": (
        replace(ASKED, prompt=frozenset({"login"})),
        replace(
            HAS_TOTP,
            proofs={"password": Proof(NOW - 5), "totp": Proof(NOW - 60)},
            fresh=frozenset({"password"}),
        ),
        FREE,
        PROVE_TOTP,
    ),
}


@pytest.mark.parametrize(("asked", "who", "entries", "expected"), ROWS.values(), ids=ROWS.keys())
def test_one_row(asked: Asked, who: Proven, entries: list[Entry], expected: object) -> None:
    assert shape(next_step(asked, who, entries, NOW)) == expected
