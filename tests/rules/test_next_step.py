"""The one decision, row by row, with no web framework, database or clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, PasswordState, Proven, Refused, Step, ToAllow
from idp.policies.assurance import Proof
from idp.policies.password_age import AgeRule
from tests.rules.standings import (
    ADMIN,
    AGENT,
    ASKED,
    DAY,
    FRESH,
    HOUR,
    NOW,
    OFFICER,
    ONE,
    SIGNED_IN,
    TWO,
    entry,
)
from tests.rules.test_consent_steps import ROWS as CONSENT_ROWS

ROWS = {
    "nobody is known": (ASKED, Proven(), [], Step.PASSWORD),
    "signed in, and a role opens the product": (ASKED, SIGNED_IN, ONE, Done(ADMIN)),
    "just signed in": (ASKED, FRESH, ONE, Done(ADMIN)),
    "signed out of the tenant since": (
        ASKED,
        replace(SIGNED_IN, left_tenants=frozenset({ADMIN.tenant_id})),
        ONE,
        Step.PASSWORD,
    ),
    "signed out of another tenant": (
        ASKED,
        replace(SIGNED_IN, left_tenants=frozenset({"another"})),
        ONE,
        Done(ADMIN),
    ),
    "signed out of the tenant, proven again": (
        ASKED,
        replace(FRESH, left_tenants=frozenset({ADMIN.tenant_id})),
        ONE,
        Done(ADMIN),
    ),
    "prompt=login with an old sign-in": (
        replace(ASKED, prompt=frozenset({"login"})),
        SIGNED_IN,
        ONE,
        Step.PASSWORD,
    ),
    "prompt=login, proven again": (
        replace(ASKED, prompt=frozenset({"login"})),
        FRESH,
        ONE,
        Done(ADMIN),
    ),
    "the password must be changed": (
        ASKED,
        replace(FRESH, password=PasswordState(NOW - HOUR, "temporary")),
        ONE,
        Step.NEW_PASSWORD,
    ),
    "the password must be changed, and nothing is opened yet": (
        Asked(),
        replace(FRESH, password=PasswordState(NOW - HOUR, "temporary")),
        ONE,
        Step.NEW_PASSWORD,
    ),
    "a password that must be changed, and a passkey in its stead": (
        ASKED,
        replace(
            FRESH,
            proofs={"passkey": Proof(NOW - 5)},
            fresh=frozenset({"passkey"}),
            password=PasswordState(NOW - HOUR, "temporary"),
        ),
        ONE,
        Done(ADMIN),
    ),
    "a password a second too young to be too old": (
        ASKED,
        replace(SIGNED_IN, password=PasswordState(NOW - 90 * DAY + 1, "")),
        [replace(entry(ADMIN), password_ages=(AgeRule(90, 0.0),))],
        Done(ADMIN),
    ),
    "a password too old for the product": (
        ASKED,
        replace(FRESH, password=PasswordState(NOW - 90 * DAY, "")),
        [replace(entry(ADMIN), password_ages=(AgeRule(90, 0.0),))],
        Step.NEW_PASSWORD,
    ),
    "a password too old for the product, that was not proven just now": (
        ASKED,
        replace(SIGNED_IN, password=PasswordState(NOW - 90 * DAY, "")),
        [replace(entry(ADMIN), password_ages=(AgeRule(90, 0.0),))],
        Step.PASSWORD,
    ),
    "an old password, and the rule is new": (
        ASKED,
        replace(SIGNED_IN, password=PasswordState(NOW - 900 * DAY, "")),
        [replace(entry(ADMIN), password_ages=(AgeRule(90, NOW - 80 * DAY),))],
        Done(ADMIN),
    ),
    "nobody without a password has one that is too old": (
        ASKED,
        replace(SIGNED_IN, proofs={"passkey": Proof(NOW - HOUR)}),
        [replace(entry(ADMIN), password_ages=(AgeRule(30, 0.0),))],
        Done(ADMIN),
    ),
    "max_age passed": (replace(ASKED, max_age=3599), SIGNED_IN, ONE, Step.PASSWORD),
    "max_age just reached": (replace(ASKED, max_age=3600), SIGNED_IN, ONE, Done(ADMIN)),
    "max_age=0 is like prompt=login": (
        replace(ASKED, max_age=0),
        replace(SIGNED_IN, proofs={"password": Proof(NOW)}),
        ONE,
        Step.PASSWORD,
    ),
    "max_age=0, proven in this attempt": (replace(ASKED, max_age=0), FRESH, ONE, Done(ADMIN)),
    "somebody else was asked for": (
        replace(ASKED, hinted_subject="another"),
        SIGNED_IN,
        ONE,
        Step.PASSWORD,
    ),
    "somebody else signed in than was asked for": (
        replace(ASKED, hinted_subject="another"),
        FRESH,
        ONE,
        Step.PASSWORD,
    ),
    "the one who was asked for": (replace(ASKED, hinted_subject="u"), SIGNED_IN, ONE, Done(ADMIN)),
    "prompt=select_account": (
        replace(ASKED, prompt=frozenset({"select_account"})),
        SIGNED_IN,
        ONE,
        Step.SELECT_ACCOUNT,
    ),
    "the account is confirmed": (
        replace(ASKED, prompt=frozenset({"select_account"})),
        replace(SIGNED_IN, account_confirmed=True),
        ONE,
        Done(ADMIN),
    ),
    "another account is wanted": (
        ASKED,
        replace(SIGNED_IN, other_account=True),
        ONE,
        Step.PASSWORD,
    ),
    "no membership at all": (ASKED, SIGNED_IN, [], Step.NOT_OPEN),
    "no role opens the product": (ASKED, SIGNED_IN, [entry(AGENT)], Step.NOT_OPEN),
    "no role opens it, and the person turns back": (
        ASKED,
        replace(SIGNED_IN, turned_back=True),
        [entry(AGENT)],
        Refused("access_denied", "The person's roles do not open this product."),
    ),
    "a disabled membership": (
        ASKED,
        SIGNED_IN,
        [entry(ADMIN._replace(membership_status="disabled"))],
        Step.NOT_OPEN,
    ),
    "a suspended tenant": (
        ASKED,
        SIGNED_IN,
        [entry(ADMIN._replace(tenant_status="suspended"))],
        Step.NOT_OPEN,
    ),
    "a disabled person": (
        ASKED,
        SIGNED_IN,
        [entry(ADMIN._replace(user_status="disabled"))],
        Step.NOT_OPEN,
    ),
    "a tenant is named that the person is not in": (
        replace(ASKED, tenant="elsewhere"),
        SIGNED_IN,
        ONE,
        Step.NOT_OPEN,
    ),
    "several tenants, none chosen": (ASKED, SIGNED_IN, TWO, Step.TENANT),
    "several tenants, one named": (
        replace(ASKED, tenant="harbor"),
        SIGNED_IN,
        TWO,
        Done(OFFICER),
    ),
    "several tenants, the session is in one": (
        ASKED,
        replace(SIGNED_IN, session_tenant_id="t-harbor"),
        TWO,
        Done(OFFICER),
    ),
    "the last choice is remembered": (
        ASKED,
        replace(SIGNED_IN, last_tenant_id="t-north"),
        TWO,
        Done(ADMIN),
    ),
    "the session's tenant comes before the last choice": (
        ASKED,
        replace(SIGNED_IN, session_tenant_id="t-harbor", last_tenant_id="t-north"),
        TWO,
        Done(OFFICER),
    ),
    "what was chosen now comes first": (
        ASKED,
        replace(SIGNED_IN, chosen_tenant_id="t-north", session_tenant_id="t-harbor"),
        TWO,
        Done(ADMIN),
    ),
    "a remembered tenant that opens it no more": (
        ASKED,
        replace(SIGNED_IN, session_tenant_id="t-gone"),
        TWO,
        Step.TENANT,
    ),
    "prompt=select_account forgets the remembered tenant": (
        replace(ASKED, prompt=frozenset({"select_account"})),
        replace(SIGNED_IN, account_confirmed=True, session_tenant_id="t-north"),
        TWO,
        Step.TENANT,
    ),
    "only one of two opens it": (
        ASKED,
        SIGNED_IN,
        [entry(AGENT), entry(OFFICER)],
        Done(OFFICER),
    ),
    "the tenant allows no session that old": (
        ASKED,
        SIGNED_IN,
        [entry(ADMIN, absolute=HOUR - 1)],
        Step.PASSWORD,
    ),
    "the tenant allows no session that idle": (
        ASKED,
        SIGNED_IN,
        [entry(ADMIN, idle=59)],
        Step.PASSWORD,
    ),
    "an essential acr that was reached": (
        replace(ASKED, essential_acr=("aal2", "aal1")),
        SIGNED_IN,
        ONE,
        Done(ADMIN),
    ),
    "an essential acr that can't be reached": (
        replace(ASKED, essential_acr=("aal3", "urn:another")),
        FRESH,
        ONE,
        Refused("unmet_authentication_requirements", "The wanted acr can't be reached."),
    ),
    "no product asks": (Asked(), SIGNED_IN, [], Done()),
    "no product asks, and nobody is known": (Asked(), Proven(), [], Step.PASSWORD),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_next_step_is(name: str) -> None:
    asked, proven, entries, expected = ROWS[name]
    assert next_step(asked, proven, entries, NOW) == expected


def test_every_step_has_a_row() -> None:
    found = {row[3] for row in (ROWS | CONSENT_ROWS).values()}
    elsewhere = {Step.SECOND_FACTOR, Step.ENROL}  # test_second_factor_steps.py
    assert {*Step} - {Step.CONSENT} - elsewhere <= found
    assert ToAllow(ADMIN) in found


def test_a_permission_that_left_the_tree_opens_nothing() -> None:
    stale = AGENT._replace(permission_keys="payouts.gone")
    assert next_step(ASKED, SIGNED_IN, [entry(stale)], NOW) is Step.NOT_OPEN
