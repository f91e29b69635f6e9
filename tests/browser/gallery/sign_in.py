"""Signing in and out: the door, the choices on the way, and what is refused there."""

from typing import Any

from idp.oidc.logout_request import NOT_REGISTERED
from tests.browser.gallery.consent import STRANGER
from tests.browser.gallery.people import (
    AMARA,
    BEN,
    CONNECTIONS,
    HARBOR,
    LMS,
    MEMBERSHIPS,
    NORTHWIND,
    NOW,
    PAYMENTS,
    PRODUCTS,
)


def told(product: dict[str, Any], status: str, **more: Any) -> dict[str, Any]:
    """How a product was told of a sign-out."""
    return {"product": product, "product_key": product["key"], "status": status, **more}


SIGN_IN: dict[str, Any] = {
    "action": "/answer",
    "attempt": "at_7Qm2",
    "products": PRODUCTS,
    "chosen": None,
    "error": None,
    "errors": {},
    "email": "",
    "person": None,
    "not_me_url": "/login?other=1",
    "reason": None,
    "locked_hint": None,
    "passkeys": {"party": "id.latchkey.example", "unknown": ""},
    "upstreams": [],
    "by_company": False,
    "only_way": None,
    "linking": "",
}

STEP: dict[str, Any] = {
    "action": "/answer",
    "attempt": "at_7Qm2",
    "person": AMARA,
    "product": PAYMENTS,
    "not_me_url": "/login?other=1",
}

DEVICE: dict[str, Any] = {
    "action": "/answer",
    "user_code": "",
    "is_filled_in": False,
    "errors": None,
}

WRONG_DETAILS = "We could not sign you in. Check your details, or reset your password."

SIGN_IN_SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "sign-in": ("login/sign_in.html", SIGN_IN),
    "sign-in-with-google": (
        "login/sign_in.html",
        SIGN_IN | {"chosen": "lms", "upstreams": [{"key": "google", "name": "Google"}]},
    ),
    "sign-in-to-link": (
        "login/sign_in.html",
        SIGN_IN | {"chosen": "lms", "linking": "Google", "email": AMARA["email"]},
    ),
    "sign-in-by-company": ("login/sign_in.html", SIGN_IN | {"chosen": "lms", "by_company": True}),
    "sign-in-only-way": (
        "login/sign_in.html",
        SIGN_IN
        | {
            "chosen": "lms",
            "person": AMARA,
            "passkeys": None,
            "only_way": {"key": "5f2b", "name": "Northwind Entra"},
        },
    ),
    "sign-in-only-way-while-linking": (
        "login/sign_in.html",
        SIGN_IN
        | {
            "chosen": "lms",
            "person": AMARA,
            "passkeys": None,
            "only_way": {"key": "5f2b", "name": "Northwind Entra"},
            "linking": "Google",
        },
    ),
    "sign-in-not-seen-anew": (
        "login/sign_in.html",
        SIGN_IN
        | {
            "chosen": "lms",
            "person": AMARA,
            "reason": "Northwind Entra doesn't say when it has seen you, and a recent sign-in is"
            " wanted here. Use your password or passkey. If you have neither, get a password by"
            " e-mail.",
        },
    ),
    "upstream": (
        "login/upstream.html",
        {"name": "Google", "target": "https://accounts.example/authorize"},
    ),
    "sign-in-for-a-client": (
        "login/sign_in.html",
        SIGN_IN | {"chosen": "connections", "products": [], "client": STRANGER},
    ),
    "sign-in-from-product": ("login/sign_in.html", SIGN_IN | {"chosen": "lms"}),
    "sign-in-wrong": (
        "login/sign_in.html",
        SIGN_IN
        | {
            "chosen": "payments",
            "email": AMARA["email"],
            "error": WRONG_DETAILS,
            "locked_hint": {"tries": 5, "minutes": 30},
        },
    ),
    "sign-in-incomplete": (
        "login/sign_in.html",
        SIGN_IN
        | {
            "errors": {
                "product": "Choose the product you want to open.",
                "email": "Enter your e-mail address.",
                "password": "Enter your password.",
            }
        },
    ),
    "sign-in-again": (
        "login/sign_in.html",
        SIGN_IN
        | {
            "chosen": "payments",
            "person": AMARA,
            "reason": "Secure Payments asks you to sign in again.",
        },
    ),
    "select-account": ("login/select_account.html", STEP),
    "tenant": ("login/tenant.html", STEP | {"tenants": MEMBERSHIPS, "chosen": "northwind"}),
    "tenant-alike": (
        "login/tenant.html",
        STEP
        | {
            "tenants": [
                each | {"name": "Northwind", "folded": "northwind"} for each in MEMBERSHIPS
            ],
            "alike": {"northwind"},
            "chosen": None,
        },
    ),
    "tenant-unchosen": (
        "login/tenant.html",
        STEP
        | {
            "product": LMS,
            "tenants": MEMBERSHIPS,
            "chosen": None,
            "errors": {"tenant": "Choose a company to continue."},
        },
    ),
    "device": ("login/device.html", DEVICE),
    "device-filled-in": (
        "login/device.html",
        DEVICE | {"user_code": "WDJB-MJHT", "is_filled_in": True},
    ),
    "device-wrong": (
        "login/device.html",
        DEVICE
        | {
            "user_code": "WDJB-MJHX",
            "errors": {
                "user_code": "This code is wrong or too old. Ask your device for another one."
            },
        },
    ),
    "device-allowed": ("login/device_decided.html", {"outcome": "allowed"}),
    "refused": (
        "login/refused.html",
        {
            "person": BEN,
            "product": PAYMENTS,
            "tenant": NORTHWIND,
            "back_url": "/go/lms",
            "back_label": "Back to LMS",
            "products": [],
            "not_me_url": "/login?other=1",
        },
    ),
    "refused-unconfirmed": (
        "login/refused.html",
        {
            "person": AMARA,
            "product": LMS,
            "tenant": NORTHWIND | {"awaits_confirmation": True},
            "back_label": "Go back",
            "products": [PAYMENTS],
            "not_me_url": "/login?other=1",
        },
    ),
    "refused-elsewhere": (
        "login/refused.html",
        {
            "person": AMARA,
            "product": CONNECTIONS,
            "tenant": HARBOR,
            "back_url": "/go/payments",
            "back_label": "Back to Secure Payments",
            "products": [LMS],
            "not_me_url": "/login?other=1",
        },
    ),
    "unlock": ("login/unlock.html", {"token": "t", "until": NOW - 60.0}),
    "unlocked": ("login/unlock.html", {"token": None, "until": None}),
    "sign-out": (
        "login/sign_out.html",
        {
            "action": "/answer",
            "attempt": None,
            "fields": [("state", "xyz")],
            "person": AMARA,
            "products": [
                {key: product[key] for key in ("key", "name", "icon")} for product in PRODUCTS
            ],
        },
    ),
    "signed-out": (
        "login/signed_out.html",
        {
            "receipts": [told(LMS, "delivered"), told(PAYMENTS, "delivered")],
            "sign_in_url": "/",
        },
    ),
    "signed-out-partly": (
        "login/signed_out.html",
        {
            "receipts": [
                told(LMS, "pending", attempts=2, again_at=NOW + 30.0),
                told(PAYMENTS, "failed"),
                told(CONNECTIONS, "refused"),
                told(PAYMENTS | {"name": "Reports"}, "framed"),
            ],
            "is_pending": True,
            "sign_in_url": "/",
        },
    ),
    "sign-out-at-fault": (
        "login/sign_out.html",
        {
            "action": "/answer",
            "attempt": None,
            "fields": [],
            "person": AMARA,
            "fault": NOT_REGISTERED,
            "products": [LMS],
        },
    ),
}
