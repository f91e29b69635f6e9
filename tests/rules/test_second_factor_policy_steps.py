"""Which second factor companies ask for, by the rows of the one decision that are about them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, Entry, Proven, Refused
from idp.policies.mfa import KindRule, Mode
from tests.rules.second_factor_rows import (
    AFTER_A_BREAK,
    ASKED,
    DONE,
    ENROL,
    FREE,
    HAS_TOTP,
    ONE_FACTOR,
    OPTIONAL,
    PLAIN,
    PROVE_TOTP,
    REQUIRED,
    SMS,
    TOTP_FIRST,
    at,
    proven,
    shape,
    side,
)
from tests.rules.standings import ADMIN, DAY, HOUR, NOW, OFFICER, OPERATOR, PLATFORM, entry

ROWS: dict[str, tuple[Asked, Proven, list[Entry], object]] = {
    "a company requires one": (PLAIN, ONE_FACTOR, REQUIRED, ENROL),
    "it may not be skipped": (PLAIN, replace(ONE_FACTOR, skipped=True), REQUIRED, ENROL),
    "a company recommends one": (PLAIN, ONE_FACTOR, at(Mode.SELECTED), DONE),
    "it has selected this person": (PLAIN, ONE_FACTOR, at(Mode.SELECTED, is_selected=True), ENROL),
    "one that was selected, while the policy is off": (
        PLAIN,
        ONE_FACTOR,
        at(Mode.OFF, is_selected=True),
        DONE,
    ),
    "optional, not skipped": (PLAIN, ONE_FACTOR, OPTIONAL, ENROL),
    "optional, skipped now": (PLAIN, replace(ONE_FACTOR, skipped=True), OPTIONAL, DONE),
    "optional, skipped before": (PLAIN, ONE_FACTOR, at(Mode.OPTIONAL, skipped_at=NOW - DAY), DONE),
    "optional, skipped before it was turned off and on": (
        PLAIN,
        ONE_FACTOR,
        at(Mode.OPTIONAL, since=NOW - HOUR, skipped_at=NOW - DAY),
        ENROL,
    ),
    "optional for whoever has none": (
        PLAIN,
        replace(HAS_TOTP, skipped=True),
        OPTIONAL,
        PROVE_TOTP,
    ),
    "what the company skips the product does not": (
        ASKED,
        replace(ONE_FACTOR, skipped=True),
        at(Mode.OPTIONAL, skipped_at=NOW - DAY),
        ENROL,
    ),
    "turned off and on again, everybody enrols afresh": (PLAIN, HAS_TOTP, AFTER_A_BREAK, ENROL),
    "a proof by what was enrolled before does not count": (
        PLAIN,
        proven("totp", 60),
        AFTER_A_BREAK,
        ENROL,
    ),
    "while the policy is off, what was enrolled before it counts": (
        ASKED,
        proven("totp", 60),
        at(Mode.OFF, since=NOW - DAY),
        DONE,
    ),
    "one by what was enrolled since does": (
        PLAIN,
        proven("totp", 60, enrolled_at=NOW - HOUR),
        AFTER_A_BREAK,
        DONE,
    ),
    "what counts in another company is proven before more is added": (
        replace(PLAIN, tenant="northwind"),
        HAS_TOTP,
        [*AFTER_A_BREAK, replace(entry(OFFICER), sides=(side(KindRule(Mode.REQUIRED, 0.0)),))],
        TOTP_FIRST,
    ),
    "and then it is added": (
        replace(PLAIN, tenant="northwind"),
        proven("totp", 60),
        [*AFTER_A_BREAK, replace(entry(OFFICER), sides=(side(KindRule(Mode.REQUIRED, 0.0)),))],
        ENROL,
    ),
    "what is not allowed here proves that more may be added": (
        replace(PLAIN, essential_acr=("phr",)),
        HAS_TOTP,
        FREE,
        TOTP_FIRST,
    ),
    "a guest is bound by the company at home": (
        PLAIN,
        ONE_FACTOR,
        [replace(FREE[0], sides=(FREE[0].sides[0], REQUIRED[0].sides[0]))],
        ENROL,
    ),
    "and by the approval": (PLAIN, ONE_FACTOR, [replace(FREE[0], is_granted=True)], ENROL),
    "turning back is told to the client": (
        ASKED,
        replace(ONE_FACTOR, turned_back=True),
        FREE,
        Refused("access_denied", "The person did not prove a second factor."),
    ),
    "without a product each company of theirs counts": (Asked(), ONE_FACTOR, REQUIRED, ENROL),
    "but none that is suspended": (
        Asked(),
        ONE_FACTOR,
        [replace(REQUIRED[0], standing=ADMIN._replace(tenant_status="suspended"))],
        Done(),
    ),
    "their own level, and they have nothing": (Asked(own_level=True), ONE_FACTOR, FREE, Done()),
    "their own level, and they have an app": (
        Asked(own_level=True),
        HAS_TOTP,
        FREE,
        PROVE_TOTP,
    ),
    "their own level, proven": (Asked(own_level=True), proven("totp", 60), FREE, Done()),
    "an operator needs none where the platform does not say so": (
        Asked(product=PLATFORM),
        ONE_FACTOR,
        [entry(OPERATOR)],
        Done(OPERATOR),
    ),
    "an operator needs one": (
        Asked(product=PLATFORM, is_platform=True),
        ONE_FACTOR,
        [entry(OPERATOR)],
        ENROL,
    ),
    "and not by SMS": (
        Asked(product=PLATFORM, is_platform=True),
        replace(proven("sms", 60), enrolled=(SMS,)),
        [entry(OPERATOR)],
        ENROL,
    ),
}


@pytest.mark.parametrize(("asked", "who", "entries", "expected"), ROWS.values(), ids=ROWS.keys())
def test_one_row(asked: Asked, who: Proven, entries: list[Entry], expected: object) -> None:
    assert shape(next_step(asked, who, entries, NOW)) == expected
