"""A second factor around another password: after a reset by mail, before a new one, and once more
after the first is enrolled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, Enrolled, Entry, PasswordState, Proven, Refused, Step
from idp.policies.assurance import Proof
from idp.policies.mfa import METHODS, KindRule, Mode, TenantRules
from tests.rules.second_factor_rows import (
    ASKED,
    CODES,
    DONE,
    ENROL,
    FREE,
    HAS_TOTP,
    JUST_RESET,
    MAIL,
    OLD,
    ONE_FACTOR,
    PLAIN,
    PROVE_TOTP,
    REQUIRED,
    TOTP,
    TOTP_FIRST,
    WITH_PASSKEY,
    proven,
    shape,
    side,
)
from tests.rules.standings import ADMIN, DAY, NOW, entry

ROWS: dict[str, tuple[Asked, Proven, list[Entry], object]] = {
    "a code by e-mail counts like any other": (PLAIN, proven("email", 60), REQUIRED, DONE),
    "but not within a day of a reset by e-mail": (
        PLAIN,
        replace(proven("email", 60), enrolled=(MAIL, TOTP), password=JUST_RESET),
        REQUIRED,
        PROVE_TOTP,
    ),
    "nor is it offered then": (
        PLAIN,
        replace(HAS_TOTP, enrolled=(MAIL, TOTP), password=JUST_RESET),
        REQUIRED,
        PROVE_TOTP,
    ),
    "nor does it prove that another may be added": (
        replace(PLAIN, essential_acr=("phr",)),
        replace(proven("email", 60), enrolled=(MAIL, TOTP), password=JUST_RESET),
        FREE,
        TOTP_FIRST,
    ),
    "who has nothing else has to wait": (
        PLAIN,
        replace(proven("email", 60), enrolled=(MAIL,), password=JUST_RESET),
        REQUIRED,
        Refused("access_denied", "A code by e-mail does not count for a day after a reset."),
    ),
    "also to add something": (
        Asked(own_level=True),
        replace(ONE_FACTOR, enrolled=(MAIL,), password=JUST_RESET),
        FREE,
        Refused("access_denied", "A code by e-mail does not count for a day after a reset."),
    ),
    "a day later it counts again": (
        PLAIN,
        replace(
            proven("email", 60),
            enrolled=(MAIL,),
            password=JUST_RESET._replace(reset_by_mail_at=NOW - DAY),
        ),
        REQUIRED,
        DONE,
    ),
    "who came by a passkey did not come by mail": (
        PLAIN,
        replace(WITH_PASSKEY, enrolled=(MAIL,), password=JUST_RESET),
        REQUIRED,
        DONE,
    ),
    "who has nothing at all enrols, after a reset as well": (
        PLAIN,
        replace(ONE_FACTOR, password=JUST_RESET),
        REQUIRED,
        ENROL,
    ),
    "after a reset by e-mail an app counts": (
        PLAIN,
        replace(proven("totp", 60), password=JUST_RESET),
        REQUIRED,
        DONE,
    ),
    "whoever has a second factor shows it for another password, whoever demands none": (
        PLAIN,
        replace(HAS_TOTP, **OLD),
        FREE,
        PROVE_TOTP,
    ),
    "and then gets to it": (
        PLAIN,
        replace(proven("totp", 60), **OLD),
        FREE,
        Step.NEW_PASSWORD,
    ),
    "whoever has none gets to it": (
        PLAIN,
        replace(ONE_FACTOR, **OLD),
        FREE,
        Step.NEW_PASSWORD,
    ),
    "nor does it take a code out of the mailbox that the password came by": (
        PLAIN,
        replace(
            ONE_FACTOR,
            **OLD
            | {
                "enrolled": (Enrolled("email", 0.0), CODES),
                "password": PasswordState(NOW - 60, "temporary", NOW - 60),
            },
        ),
        FREE,
        Step.NEW_PASSWORD,
    ),
    "an app it takes then, too": (
        PLAIN,
        replace(HAS_TOTP, **OLD | {"password": PasswordState(NOW - 60, "temporary", NOW - 60)}),
        FREE,
        PROVE_TOTP,
    ),
    "a second factor comes before another password": (
        ASKED,
        replace(HAS_TOTP, password=PasswordState(0.0, "temporary")),
        FREE,
        PROVE_TOTP,
    ),
}


@pytest.mark.parametrize(("asked", "who", "entries", "expected"), ROWS.values(), ids=ROWS.keys())
def test_one_row(asked: Asked, who: Proven, entries: list[Entry], expected: object) -> None:
    assert shape(next_step(asked, who, entries, NOW)) == expected


CUSTOMER = replace(
    entry(ADMIN._replace(kind="customer")),
    sides=(
        side(
            KindRule(Mode.OFF, 0.0),
            kind="customer",
            rules=TenantRules(
                {"customer": KindRule(Mode.REQUIRED, 0.0)}, frozenset(METHODS), {}, True
            ),
        ),
    ),
)
JUST_ENROLLED = replace(
    HAS_TOTP,
    proofs={"password": Proof(NOW - 60), "totp": Proof(NOW - 30, NOW - 30)},
    fresh=frozenset({"password", "totp"}),
    first_enrolled_at=NOW - 30,
    password=PasswordState(0.0, ""),
)
AGAIN = replace(JUST_ENROLLED, proofs={**JUST_ENROLLED.proofs, "password": Proof(NOW - 5)})


@pytest.mark.parametrize(
    ("who", "entries", "expected"),
    [
        (JUST_ENROLLED, CUSTOMER, Step.PASSWORD),
        (AGAIN, CUSTOMER, Done(CUSTOMER.standing)),
        (replace(JUST_ENROLLED, first_enrolled_at=0.0), CUSTOMER, Done(CUSTOMER.standing)),
        (replace(JUST_ENROLLED, password=None), CUSTOMER, Done(CUSTOMER.standing)),
        (
            JUST_ENROLLED,
            replace(CUSTOMER, sides=(CUSTOMER.sides[0]._replace(kind="staff"),)),
            Done(CUSTOMER.standing),
        ),
    ],
    ids=["asked", "proven again", "enrolled before", "has no password", "is no customer"],
)
def test_m6_a_customers_password_is_asked_again_after_the_first_enrolment(
    who: Proven, entries: Entry, expected: object
) -> None:
    assert next_step(PLAIN, who, [entries], NOW) == expected
