"""The one decision, row by row, with no web framework, database or clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory.catalog import ProductView
from idp.directory.memberships import Standing
from idp.directory.operator_standing import AnyStanding, OperatorStanding
from idp.login.next_step import next_step
from idp.login.steps import (
    Allowed,
    Asked,
    Done,
    Entry,
    PasswordState,
    Proven,
    Refused,
    Step,
    ToAllow,
)
from idp.policies.assurance import Proof
from idp.policies.password_age import AgeRule
from idp.policies.sessions import Lifetimes

NOW = 1_795_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
PAYMENTS = ProductView(
    key="payments",
    name="Secure Payments",
    description="",
    color="#000000",
    icon="credit-card",
    resource="urn:product:payments",
    launch_client_id="payments",
    permission_keys=frozenset({"payouts.read", "payouts.send"}),
)
ADMIN = Standing(
    membership_id="m-north",
    tenant_id="t-north",
    tenant="northwind",
    tenant_name="Northwind Lending",
    kind="staff",
    membership_status="active",
    tenant_status="active",
    tenant_policy="{}",
    user_status="active",
    role_keys="account_admin",
    role_names="Account admin",
    has_all_permissions=1,
    permission_keys=None,
)
OFFICER = ADMIN._replace(
    membership_id="m-harbor",
    tenant_id="t-harbor",
    tenant="harbor",
    tenant_name="Harbor Credit Union",
    role_keys="officer",
    has_all_permissions=0,
    permission_keys="payouts.read",
)
AGENT = ADMIN._replace(role_keys="agent", has_all_permissions=0, permission_keys=None)

PLATFORM = replace(PAYMENTS, key="platform", is_platform=True)
OPERATOR = OperatorStanding("a-term", "active")
NO_OPERATOR = OperatorStanding(None, "active")

AT_PLATFORM = Asked(product=PLATFORM, scope=frozenset({"openid"}))
ASKED = Asked(product=PAYMENTS, scope=frozenset({"openid"}))
SIGNED_IN = Proven(
    user_id="u", proofs={"password": Proof(NOW - HOUR)}, enrolled=(), last_seen_at=NOW - 60
)
FRESH = replace(SIGNED_IN, proofs={"password": Proof(NOW - 5)}, fresh=frozenset({"password"}))
CONSENTED = replace(SIGNED_IN, consented=frozenset({"openid"}), consent_is_fresh=True)


def entry(standing: AnyStanding, idle: float = HOUR, absolute: float = 24 * HOUR) -> Entry:
    return Entry(standing, Lifetimes(idle, absolute))


def allowed(membership_id: str, scope: str) -> Proven:
    consent = Allowed("a-consent", frozenset(scope.split()))
    return replace(SIGNED_IN, allowed={membership_id: consent})


ONE = [entry(ADMIN)]
TWO = [entry(OFFICER), entry(ADMIN)]

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
    "consent is needed": (replace(ASKED, needs_consent=True), SIGNED_IN, ONE, ToAllow(ADMIN)),
    "consent was given before": (
        replace(ASKED, needs_consent=True),
        allowed("m-north", "openid email"),
        ONE,
        Done(ADMIN, "a-consent"),
    ),
    "consent was given for less": (
        replace(ASKED, needs_consent=True, scope=frozenset({"openid", "email"})),
        allowed("m-north", "openid"),
        ONE,
        ToAllow(ADMIN),
    ),
    "consent was given before, in another tenant": (
        replace(ASKED, needs_consent=True),
        allowed("m-harbor", "openid"),
        ONE,
        ToAllow(ADMIN),
    ),
    "consent was given before, in another tenant than the one that is asked for": (
        replace(ASKED, needs_consent=True, tenant="harbor"),
        replace(allowed("m-north", "openid"), session_tenant_id="t-north"),
        TWO,
        ToAllow(OFFICER),
    ),
    "prompt=consent asks again": (
        replace(ASKED, needs_consent=True, prompt=frozenset({"consent"})),
        allowed("m-north", "openid"),
        ONE,
        ToAllow(ADMIN),
    ),
    "prompt=consent, given just now": (
        replace(ASKED, needs_consent=True, prompt=frozenset({"consent"})),
        replace(CONSENTED, consented_tenant_id="t-north"),
        ONE,
        Done(ADMIN),
    ),
    "consent was given for another tenant than the one that is entered now": (
        replace(ASKED, needs_consent=True),
        replace(CONSENTED, consented_tenant_id="t-north", chosen_tenant_id="t-harbor"),
        TWO,
        ToAllow(OFFICER),
    ),
    "consent is for the tenant that was chosen": (
        replace(ASKED, needs_consent=True),
        replace(SIGNED_IN, chosen_tenant_id="t-harbor", last_tenant_id="t-north"),
        TWO,
        ToAllow(OFFICER),
    ),
    "consent is denied": (
        replace(ASKED, needs_consent=True),
        replace(SIGNED_IN, turned_back=True),
        ONE,
        Refused("access_denied", "The person did not allow it."),
    ),
    "an operator at a client of the platform's": (
        AT_PLATFORM,
        SIGNED_IN,
        [entry(OPERATOR)],
        Done(OPERATOR),
    ),
    "nobody is known at a client of the platform's": (AT_PLATFORM, Proven(), [], Step.PASSWORD),
    "no operator": (AT_PLATFORM, SIGNED_IN, [entry(NO_OPERATOR)], Step.NOT_OPEN),
    "no operator, and the person turns back": (
        AT_PLATFORM,
        replace(SIGNED_IN, turned_back=True),
        [entry(NO_OPERATOR)],
        Refused("access_denied", "The person's roles do not open this product."),
    ),
    "an operator who is disabled": (
        AT_PLATFORM,
        SIGNED_IN,
        [entry(OPERATOR._replace(user_status="disabled"))],
        Step.NOT_OPEN,
    ),
    "an account admin at a client of the platform's": (AT_PLATFORM, SIGNED_IN, TWO, Step.NOT_OPEN),
    "an operator at a product of a company's": (
        ASKED,
        SIGNED_IN,
        [entry(OPERATOR)],
        Step.NOT_OPEN,
    ),
    "no company is chosen for the platform, whatever is remembered": (
        AT_PLATFORM,
        replace(
            SIGNED_IN,
            chosen_tenant_id="t-north",
            session_tenant_id="t-north",
            last_tenant_id="t-harbor",
        ),
        [entry(OPERATOR)],
        Done(OPERATOR),
    ),
    "a company is named to the platform": (
        replace(AT_PLATFORM, tenant="northwind"),
        SIGNED_IN,
        [entry(OPERATOR)],
        Step.NOT_OPEN,
    ),
    "a client of a company's at the platform": (
        replace(AT_PLATFORM, client_tenant_id="t-north"),
        SIGNED_IN,
        [entry(OPERATOR)],
        Step.NOT_OPEN,
    ),
    "the platform allows no session that old": (
        AT_PLATFORM,
        SIGNED_IN,
        [entry(OPERATOR, absolute=HOUR - 1)],
        Step.PASSWORD,
    ),
    "another's client asks an operator": (
        replace(AT_PLATFORM, needs_consent=True),
        SIGNED_IN,
        [entry(OPERATOR)],
        ToAllow(OPERATOR),
    ),
    "an operator has allowed it before": (
        replace(AT_PLATFORM, needs_consent=True),
        allowed("a-term", "openid"),
        [entry(OPERATOR)],
        Done(OPERATOR, "a-consent"),
    ),
    "they allowed it in an earlier term": (
        replace(AT_PLATFORM, needs_consent=True),
        allowed("an-earlier-term", "openid"),
        [entry(OPERATOR)],
        ToAllow(OPERATOR),
    ),
    "they allow it now": (
        replace(AT_PLATFORM, needs_consent=True),
        CONSENTED,
        [entry(OPERATOR)],
        Done(OPERATOR),
    ),
    "what is allowed now is for a company": (
        replace(AT_PLATFORM, needs_consent=True),
        replace(CONSENTED, consented_tenant_id="t-north"),
        [entry(OPERATOR)],
        ToAllow(OPERATOR),
    ),
    "no product asks": (Asked(), SIGNED_IN, [], Done()),
    "no product asks, and nobody is known": (Asked(), Proven(), [], Step.PASSWORD),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_next_step_is(name: str) -> None:
    asked, proven, entries, expected = ROWS[name]
    assert next_step(asked, proven, entries, NOW) == expected


def test_every_step_has_a_row() -> None:
    found = {row[3] for row in ROWS.values()}
    elsewhere = {Step.SECOND_FACTOR, Step.ENROL}  # test_second_factor_steps.py
    assert {*Step} - {Step.CONSENT} - elsewhere <= found
    assert ToAllow(ADMIN) in found


def test_a_permission_that_left_the_tree_opens_nothing() -> None:
    stale = AGENT._replace(permission_keys="payouts.gone")
    assert next_step(ASKED, SIGNED_IN, [entry(stale)], NOW) is Step.NOT_OPEN
