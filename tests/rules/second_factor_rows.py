"""Who has what, where, and what they are asked: the words of the rows about second factors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idp.login.steps import (
    Asked,
    Decision,
    Done,
    Enrolled,
    Entry,
    PasswordState,
    Proven,
    ToEnrol,
    ToProve,
)
from idp.policies.assurance import Proof
from idp.policies.mfa import METHODS, KindRule, Mode, Side, TenantRules
from tests.rules.standings import ADMIN, DAY, HOUR, NOW, PAYMENTS, entry

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


def side(kind_rule: KindRule, **changed: object) -> Side:
    rules = TenantRules({"staff": kind_rule}, frozenset(METHODS), {}, False)
    plain = Side("n", "Northwind Lending", rules, "staff", is_selected=False, skipped_at=None)
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
