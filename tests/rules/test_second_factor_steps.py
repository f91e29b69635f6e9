"""Which second factor is asked for, and when: the rows of the one decision that are about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idp.login.next_step import next_step
from idp.login.steps import (
    Asked,
    Decision,
    Done,
    Enrolled,
    Entry,
    PasswordState,
    Proven,
    Refused,
    Step,
    ToEnrol,
    ToProve,
)
from idp.policies.assurance import Proof
from idp.policies.mfa import METHODS, KindRule, Mode, Side, TenantRules
from tests.rules.test_next_step import (
    ADMIN,
    DAY,
    HOUR,
    NOW,
    OFFICER,
    OPERATOR,
    PAYMENTS,
    PLATFORM,
    entry,
)

STRICT = replace(PAYMENTS, second_factor=True, second_factor_minutes=15)
ASKED = Asked(product=STRICT)
ONE_FACTOR = Proven(
    user_id="u", proofs={"password": Proof(NOW - HOUR)}, last_seen_at=NOW - 60, enrolled=()
)
TOTP = Enrolled("totp", NOW - 10 * DAY)
OLD: dict[str, Any] = {
    "fresh": frozenset({"password"}),
    "password": PasswordState(NOW - HOUR, "compromised"),
}
SMS = Enrolled("sms", NOW - 10 * DAY)
CODES = Enrolled("recovery", NOW - 10 * DAY)
MAIL = Enrolled("email", NOW - 10 * DAY)
JUST_RESET = PasswordState(NOW - HOUR, "", NOW - DAY + 1)
NONE = frozenset[str]()


def side(kind_rule: KindRule, **changed: object) -> Side:
    rules = TenantRules({"staff": kind_rule}, frozenset(METHODS), {}, False)
    plain = Side("Northwind Lending", rules, "staff", is_selected=False, skipped_at=None)
    return plain._replace(**changed)  # type: ignore[arg-type]  # a test's own words


def at(mode: Mode, since: float = 0.0, **changed: object) -> list[Entry]:
    return [replace(entry(ADMIN), sides=(side(KindRule(mode, since), **changed),))]


FREE = at(Mode.OFF)
REQUIRED = at(Mode.REQUIRED)
OPTIONAL = at(Mode.OPTIONAL)
AFTER_A_BREAK = at(Mode.REQUIRED, since=NOW - DAY)
ONLY_APPS = TenantRules({}, frozenset({"passkey", "totp"}), {"payments": 5}, False)
STRICT_HERE = at(Mode.OFF, rules=ONLY_APPS)
LENDER = ADMIN._replace(role_keys="lender")
HAS_TOTP = replace(ONE_FACTOR, enrolled=(TOTP,))
WITH_PASSKEY = replace(ONE_FACTOR, proofs={"passkey": Proof(NOW - 60)})


def proven(method: str, age: float, enrolled_at: float = NOW - 10 * DAY) -> Proven:
    proofs = {**ONE_FACTOR.proofs, method: Proof(NOW - age, enrolled_at)}
    return replace(HAS_TOTP, proofs=proofs)


def shape(decision: Decision) -> object:
    """What matters of it: the step, and the methods that would do."""
    if isinstance(decision, ToProve):
        return ("prove", decision.methods, decision.before_enrolling)
    return ("enrol",) if isinstance(decision, ToEnrol) else decision


PROVE_TOTP = ("prove", frozenset({"totp"}), False)
TOTP_FIRST = ("prove", frozenset({"totp"}), True)
ENROL = ("enrol",)
DONE = Done(ADMIN)
PLAIN = Asked(product=PAYMENTS)

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
