"""What a tenant's policy says of second factors, stated and stated anew."""

from __future__ import annotations

from typing import Any

import pytest

from idp.policies import second_factor_terms
from idp.policies.mfa import Mode
from idp.policies.second_factor_terms import Gap, Terms, gap, recommended, restated, stated

NOW = 1000.0


def after(policy: dict[str, Any], now: float, **changed: Any) -> dict[str, Any]:
    modes = {**stated(policy).modes, **changed.pop("modes", {})}
    return restated(policy, stated(policy)._replace(modes=modes, **changed), now)


def test_a_tenant_that_says_nothing_selects_among_its_staff() -> None:
    assert stated({}) == Terms(
        {"staff": Mode.SELECTED, "customer": Mode.OFF, "organization": Mode.OFF},
        frozenset({"passkey", "totp", "sms", "email"}),
        {},
        password_after_enrolment=False,
        reset_needs_second_admin=False,
    )


def test_what_stays_as_it_was_goes_on_unsaid() -> None:
    other = {"session_idle_minutes": 5}
    assert restated(other, stated(other), NOW) == other
    assert after(other, NOW, password_after_enrolment=True) == {
        **other,
        "password_after_enrolment": True,
    }


def test_a_first_turning_on_counts_what_was_enrolled_before() -> None:
    assert after({}, NOW, modes={"customer": Mode.REQUIRED}) == {
        "second_factor": {"customer": {"mode": "required"}}
    }


def test_turning_off_and_later_on_again_counts_from_then() -> None:
    """M5."""
    on = after({}, NOW, modes={"customer": Mode.OPTIONAL})
    off = after(on, NOW + 1, modes={"customer": Mode.OFF})
    assert off["second_factor"]["customer"] == {"mode": "off", "was_on": True}
    again = after(off, NOW + 2, modes={"customer": Mode.REQUIRED})
    assert again["second_factor"]["customer"] == {"mode": "required", "since": NOW + 2}
    stricter = after(again, NOW + 3, modes={"customer": Mode.OPTIONAL})
    assert stricter["second_factor"]["customer"] == {"mode": "optional", "since": NOW + 2}
    twice = after(after(stricter, NOW + 4, modes={"customer": Mode.OFF}), NOW + 5)
    assert twice["second_factor"]["customer"]["since"] == NOW + 2
    assert after(twice, NOW + 6, modes={"customer": Mode.REQUIRED})["second_factor"] == {
        "customer": {"mode": "required", "since": NOW + 6}
    }


def test_staff_were_asked_before_anything_was_stated() -> None:
    off = after({}, NOW, modes={"staff": Mode.OFF})
    assert after(off, NOW + 1, modes={"staff": Mode.REQUIRED})["second_factor"] == {
        "staff": {"mode": "required", "since": NOW + 1}
    }


def test_a_passkey_is_always_allowed() -> None:
    told = after({}, NOW, methods=frozenset({"email"}))
    assert told["second_factor_methods"] == ["passkey", "email"]
    assert stated({"second_factor_methods": []}).methods == {"passkey"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, Gap(True, ("sms", "email"))),
        ({"second_factor": {"staff": {"mode": "required"}}}, Gap(False, ("sms", "email"))),
        ({"second_factor_methods": ["passkey", "totp", "sms"]}, Gap(True, ("sms",))),
    ],
)
def test_the_gap_to_what_is_recommended_is_told(policy: dict[str, Any], expected: Gap) -> None:
    assert gap(stated(policy)) == expected


def test_the_recommended_terms_leave_no_gap_and_the_rest_alone() -> None:
    wanted = recommended(stated({"second_factor_products": {"lms": 5}}))
    assert gap(wanted) is None
    assert gap(wanted._replace(methods=frozenset({"passkey"}))) is None
    assert wanted.products == {"lms": 5}
    assert wanted.modes["customer"] == Mode.OFF
    assert {"passkey", "totp"} == second_factor_terms.RECOMMENDED_METHODS
