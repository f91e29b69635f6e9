"""Who and what the rows of the one decision are about."""

from __future__ import annotations

from dataclasses import replace

from idp.directory.catalog import ProductView
from idp.directory.memberships import Standing
from idp.directory.operator_standing import AnyStanding, OperatorStanding
from idp.login.steps import Allowed, Asked, Entry, Proven
from idp.policies.assurance import Proof
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
    is_confirmed=True,
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
