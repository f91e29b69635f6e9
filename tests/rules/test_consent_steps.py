"""The rows of the one decision about consent, and about clients of the platform's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.login.next_step import next_step
from idp.login.steps import Done, Proven, Refused, Step, ToAllow
from tests.rules.standings import (
    ADMIN,
    ASKED,
    AT_PLATFORM,
    CONSENTED,
    HOUR,
    NO_OPERATOR,
    NOW,
    OFFICER,
    ONE,
    OPERATOR,
    SIGNED_IN,
    TWO,
    allowed,
    entry,
)

ROWS = {
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
    "details are asked again": (
        replace(ASKED, needs_consent=True, details='[{"type":"payment"}]'),
        allowed("m-north", "openid"),
        ONE,
        ToAllow(ADMIN),
    ),
    "and a yes is to the very ones": (
        replace(ASKED, needs_consent=True, details='[{"type":"payment"}]'),
        replace(CONSENTED, consented_tenant_id="t-north", consented_details='[{"type":"payment"}]'),
        ONE,
        Done(ADMIN),
    ),
    "and to no others": (
        replace(ASKED, needs_consent=True, details='[{"type":"payment"}]'),
        replace(CONSENTED, consented_tenant_id="t-north", consented_details='[{"type":"loan"}]'),
        ONE,
        ToAllow(ADMIN),
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
}


@pytest.mark.parametrize("name", ROWS)
def test_the_next_step_is(name: str) -> None:
    asked, proven, entries, expected = ROWS[name]
    assert next_step(asked, proven, entries, NOW) == expected
