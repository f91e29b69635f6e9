"""The demo's people, companies and products, as the pages are given them."""

from typing import Any

NOW = 1_795_200_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

LMS = {
    "key": "lms",
    "name": "LMS",
    "icon": "building-bank",
    "color": "#2f6f4f",
    "description": "Loans, schedules and arrears",
    "url": "/go/lms",
}
PAYMENTS = {
    "key": "payments",
    "name": "Secure Payments",
    "icon": "credit-card",
    "color": "#2457d6",
    "description": "Payouts and approvals",
    "url": "/go/payments",
}
CONNECTIONS = {
    "key": "connections",
    "name": "Connections",
    "icon": "plug-connected",
    "color": "#8a3ffc",
    "description": "Banks, bureaus and accounting",
    "url": "/go/connections",
}
PRODUCTS = [LMS, PAYMENTS, CONNECTIONS]

AMARA = {"name": "Amara Okafor", "email": "amara@northwind.example"}
BEN = {"name": "Ben Castillo", "email": "ben@northwind.example"}

NORTHWIND = {"slug": "northwind", "name": "Northwind Lending", "url": "/switch/northwind"}
HARBOR = {"slug": "harbor", "name": "Harbor Credit Union", "url": "/switch/harbor"}
MEMBERSHIPS = [
    NORTHWIND | {"kind": "staff", "roles": ["Account admin"], "products": PRODUCTS},
    HARBOR | {"kind": "customer", "roles": ["Loan officer", "Auditor"], "products": [LMS]},
]

MENU: dict[str, Any] = {
    "person": AMARA,
    "tenant": NORTHWIND,
    "products": [LMS | {"current": True}, PAYMENTS, CONNECTIONS],
    "tenants": [NORTHWIND, HARBOR],
    "console_url": "/manage/northwind",
    "operate_url": "/operate",
    "account_url": "/account",
    "sign_out_url": "/logout",
}
