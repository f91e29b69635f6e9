"""docs/sign-in-policy.md: its examples are run, its tables name everything that there is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from idp.login.next_step import next_step
from idp.login.steps import (
    Asked,
    Decision,
    Done,
    Enrolled,
    Entry,
    PasswordState,
    Proven,
    Step,
    ToEnrol,
    ToProve,
)
from idp.policies import assurance
from idp.policies.assurance import Proof
from idp.policies.mfa import Side, Why, tenant_rules
from idp.policies.password_age import AgeRule
from tests.rules.standings import ADMIN, DAY, NOW, PAYMENTS, entry

PAGE = Path("docs/sign-in-policy.md").read_text()
EXAMPLES: list[dict[str, Any]] = [
    example
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for example in yaml.safe_load(block)
]
MINUTE = 60.0


def side(policy: dict[str, Any], example: dict[str, Any]) -> Side:
    return Side(
        "c",
        "A company",
        tenant_rules(orjson.dumps(policy).decode()),
        example.get("kind", "staff"),
        example.get("selected", False),
        NOW - DAY if example.get("skipped") else None,
    )


def entry_of(example: dict[str, Any]) -> Entry:
    sides = [side(example.get("company", {}), example)]
    if "home" in example:
        sides.append(side(example["home"], example))
    days = example.get("product", {}).get("password_max_age_days")
    ages = (AgeRule(days, 0.0),) if days else ()
    return replace(entry(ADMIN, idle=DAY), sides=tuple(sides), password_ages=ages)


def asked_of(example: dict[str, Any]) -> Asked:
    request = example.get("request", {})
    return Asked(
        product=replace(PAYMENTS, **example.get("product", {})),
        acr_values=tuple(request.get("acr_values", "").split()),
        max_age=request.get("max_age"),
    )


def proven_of(example: dict[str, Any]) -> Proven:
    return Proven(
        user_id="u",
        proofs={m: Proof(NOW - age * MINUTE) for m, age in example["proven"].items()},
        enrolled=tuple(Enrolled(method, 0.0) for method in example.get("has", [])),
        last_seen_at=NOW,
        password=PasswordState(NOW - example.get("password_days", 1) * DAY, ""),
    )


def words_of(decision: Decision) -> tuple[object, list[str]]:
    if isinstance(decision, ToProve):
        return sorted(decision.methods or []), [d.why for d in decision.requirement.demands]
    if isinstance(decision, ToEnrol):
        return "enrol", [d.why for d in decision.requirement.demands]
    if isinstance(decision, Step):
        return decision.page, []
    assert isinstance(decision, Done)
    return "nothing", []


@pytest.mark.parametrize("example", EXAMPLES, ids=[each["example"] for each in EXAMPLES])
def test_an_example_is_true(example: dict[str, Any]) -> None:
    decision = next_step(asked_of(example), proven_of(example), [entry_of(example)], NOW)
    expected = example["asks"]
    assert words_of(decision) == (
        sorted(expected) if isinstance(expected, list) else expected,
        example.get("why", []),
    )


def test_each_demand_is_in_the_table() -> None:
    assert set(Why) == set(re.findall(r"\| `([a-z_]+)` \|$", PAGE, re.MULTILINE))


ROWS = {
    "passkey": "passkey (checks",
    "password security_key": "security key",
    "password totp": "authenticator app",
    "password recovery": "recovery code",
    "password sms": "code by SMS",
    "password email": "code by e-mail",
}


@pytest.mark.parametrize(("methods", "start"), ROWS.items())
def test_what_a_method_reaches_is_in_the_table(methods: str, start: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {start}"))
    *_, acr, amr, _end = row.split("|")
    assert acr.strip() == f"`{assurance.achieved(methods.split())}`"
    assert sorted(re.findall("`(.*?)`", amr)) == assurance.amr(methods.split())
