"""How old a password may be (product.md P3, N11; security.md section 4.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, Entry, PasswordState, Proven, Step
from idp.policies import password_age
from idp.policies.assurance import Proof
from idp.policies.password_age import DAY, AgeRule
from tests.rules.standings import ADMIN, NOW, PAYMENTS, entry

AGED = replace(PAYMENTS, password_max_age_days=90, password_max_age_since=0.0)
PERSON = "0123456789abcdef0123456789abcdef"


def with_rules(*rules: AgeRule) -> list[Entry]:
    return [replace(entry(ADMIN), password_ages=rules)]


def who(changed_at: float, method: str = "password", must_change: str = "") -> Proven:
    return Proven(
        user_id=PERSON,
        proofs={method: Proof(NOW - 60)},
        last_seen_at=NOW - 60,
        enrolled=(),
        password=PasswordState(changed_at, must_change),
    )


NINETY = AgeRule(90, 0.0)
OLD = NOW - 91 * DAY


@pytest.mark.parametrize(
    ("days", "expected"), [(89, Done(ADMIN)), (90, Step.NEW_PASSWORD), (91, Step.NEW_PASSWORD)]
)
def test_p3_another_password_is_asked_for_from_the_ninetieth_day_on(
    days: int, expected: object
) -> None:
    found = next_step(Asked(product=AGED), who(NOW - days * DAY), with_rules(NINETY), NOW)
    assert found == expected
    moment_before = who(NOW - days * DAY + 0.001)
    early = next_step(Asked(product=AGED), moment_before, with_rules(NINETY), NOW)
    assert early == (Step.NEW_PASSWORD if days > 90 else Done(ADMIN))


@pytest.mark.parametrize(
    ("person", "entries", "expected"),
    [
        (who(OLD), with_rules(), Done(ADMIN)),
        (who(OLD, "passkey"), with_rules(NINETY), Done(ADMIN)),
        (replace(who(OLD), password=None), with_rules(NINETY), Done(ADMIN)),
        (who(NOW - 31 * DAY), with_rules(NINETY, AgeRule(30, 0.0)), Step.NEW_PASSWORD),
        (who(NOW, must_change="compromised"), with_rules(), Step.NEW_PASSWORD),
        (who(NOW, "passkey", must_change="compromised"), with_rules(), Done(ADMIN)),
    ],
    ids=[
        "where no rule asks for it, no",
        "of whoever came by a passkey, no",
        "of whoever has none, no",
        "the strictest rule counts",
        "one that is known to be compromised is asked for at any age",
        "but of nobody who came by a passkey",
    ],
)
def test_p3_who_is_asked_for_another_password(
    person: Proven, entries: list[Entry], expected: object
) -> None:
    assert next_step(Asked(product=AGED), person, entries, NOW) == expected


def test_n11_switching_it_on_asks_nobody_at_once_and_not_all_on_one_day() -> None:
    """A tenth more or less by person, the same each time."""
    rule = AgeRule(90, NOW)
    people = [f"{number:032x}" for number in range(1000)]
    due = [password_age.due_at([rule], 0.0, person) for person in people]
    assert due == [password_age.due_at([rule], 0.0, person) for person in people]
    days = [((each or 0.0) - NOW) / DAY for each in due]
    assert min(days) >= 81
    assert max(days) <= 99
    busiest = max(sum(int(each) == day for each in days) for day in range(81, 100))
    assert busiest < 100  # of 1000, on any one day


def test_n11_a_password_that_is_younger_than_the_rule_has_its_whole_time() -> None:
    assert password_age.due_at([AgeRule(90, NOW)], NOW, PERSON) == NOW + 90 * DAY


@pytest.mark.parametrize(
    ("days", "before", "expected"),
    [
        (None, (None, None), None),
        (90, (None, None), NOW),
        (90, (90, 5.0), 5.0),
        (120, (90, 5.0), 5.0),
        (60, (90, 5.0), NOW),
        (None, (90, 5.0), None),
        (90, (90, None), NOW),
    ],
    ids=["off", "switched on", "as before", "looser", "stricter", "switched off", "undated"],
)
def test_a_rule_begins_anew_where_it_asks_more(
    days: int | None, before: tuple[int | None, float | None], expected: float | None
) -> None:
    assert password_age.since(days, NOW, *before) == expected
    of_tenant = {"password_max_age_days": days} if days else {}
    had = {"password_max_age_days": before[0], "password_max_age_since": before[1]}
    dated = password_age.dated({**had, **of_tenant} if days else {}, had, NOW)
    assert dated.get("password_max_age_since") == expected


def test_nobody_says_themselves_since_when_a_rule_holds() -> None:
    claimed = {"password_max_age_since": 5.0}
    assert password_age.dated(claimed, {}, NOW) == {}
    dated = password_age.dated({**claimed, "password_max_age_days": 90}, {}, NOW)
    assert dated["password_max_age_since"] == NOW


def test_the_products_the_tenants_and_the_home_tenants_rules_hold_together() -> None:
    policies = (
        '{"password_max_age_days":60,"password_max_age_since":7.0}',
        '{"password_max_age_days":30,"password_max_age_since":8.0}',
        "{}",
    )
    found = password_age.rules(AGED, policies)
    assert set(found) == {AgeRule(60, 7.0), AgeRule(30, 8.0), AgeRule(90, 0.0)}
    assert password_age.rules(PAYMENTS, ["{}"]) == ()
