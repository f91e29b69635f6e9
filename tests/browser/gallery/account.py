"""The account's pages."""

from typing import Any

from tests.browser.gallery.people import (
    AMARA,
    DAY,
    HOUR,
    LMS,
    MEMBERSHIPS,
    MENU,
    MINUTE,
    NOW,
    PAYMENTS,
)

SESSIONS = [
    {
        "id": "s1",
        "current": True,
        "browser": "Chrome on macOS",
        "address": "203.0.113.24",
        "started": NOW - 3 * HOUR,
        "last_seen": NOW - 2 * MINUTE,
        "products": [LMS, PAYMENTS],
    },
    {
        "id": "s2",
        "current": False,
        "browser": "Safari on iPhone",
        "address": "2001:db8:41::9",
        "started": NOW - 6 * DAY,
        "last_seen": NOW - 26 * HOUR,
        "products": [LMS],
    },
    {
        "id": "s3",
        "current": False,
        "browser": "Firefox on Windows",
        "address": "198.51.100.7",
        "started": NOW - 9 * DAY,
        "last_seen": NOW - 8 * DAY,
        "products": [],
    },
]

SIGN_OUTS = [
    {
        "browser": "Edge on Windows",
        "ended": NOW - 5 * HOUR,
        "receipts": [
            {"client_name": "LMS", "product_key": "lms", "status": "delivered", "attempts": 1},
            {
                "client_name": "Secure Payments",
                "product_key": "payments",
                "status": "pending",
                "attempts": 3,
                "again_at": NOW + 20.0,
            },
            {
                "client_name": "Connections",
                "product_key": "connections",
                "status": "failed",
                "attempts": 9,
            },
        ],
    },
    {
        "browser": "Chrome on Android",
        "ended": NOW - 4 * DAY,
        "receipts": [
            {"client_name": "LMS", "product_key": "lms", "status": "refused", "attempts": 1},
            {"client_name": "Connections", "product_key": "connections", "status": "pending"}
            | {"attempts": 0},
        ],
    },
]

EVENTS: list[dict[str, Any]] = [
    {
        "words": "Signed in",
        "is_bad": False,
        "at": NOW - 3 * HOUR,
        "address": "203.0.113.24",
        "is_own": True,
        "browser": "Chrome on macOS",
        "methods": ["password", "authenticator app"],
    },
    {
        "words": "Sign-in refused",
        "is_bad": True,
        "at": NOW - 26 * HOUR,
        "address": "198.51.100.7",
        "is_own": True,
        "browser": "",
        "methods": [],
    },
    {
        "words": "Second factors reset",
        "is_bad": False,
        "at": NOW - 9 * DAY,
        "address": "",
        "is_own": False,
        "browser": "",
        "methods": [],
    },
]

FACTORS: list[dict[str, Any]] = [
    {
        "method": "passkey",
        "id": "f1",
        "label": "Work laptop",
        "enrolled_at": NOW - 40 * DAY,
        "last_used_at": NOW - 3 * HOUR,
    },
    {
        "method": "totp",
        "id": "f2",
        "label": "",
        "enrolled_at": NOW - 41 * DAY,
        "last_used_at": None,
    },
    {
        "method": "sms",
        "id": "f3",
        "label": "+1 ••• 0132",
        "enrolled_at": NOW - 90 * DAY,
        "last_used_at": NOW - 8 * DAY,
    },
]


LINKED: list[tuple[dict[str, Any], str]] = [
    ({"id": "1", "email": "amara@northwind.example", "is_held": False}, "Google"),
    ({"id": "2", "email": "amara@northwind.example", "is_held": True}, "Northwind Entra"),
]


def account(path: str) -> dict[str, Any]:
    """What every page of the account has around it."""
    pages = {
        "/account": ("Profile", "user"),
        "/account/security": ("Sign-in and security", "shield-lock"),
        "/account/sessions": ("Devices and sessions", "devices"),
        "/account/history": ("Sign-in history", "history"),
        "/account/products": ("Connected products", "apps"),
        "/account/requests": ("Requests", "message-question"),
    }
    return {
        "menu": MENU,
        "person": AMARA | {"id": "a81"},
        "navigation": [
            {"url": url, "label": label, "icon": icon, "current": url == path}
            for url, (label, icon) in pages.items()
        ],
    }


PROFILE: dict[str, Any] = account("/account") | {
    "own": {
        "name": AMARA["name"],
        "given_name": "Amara",
        "family_name": "Okafor",
        "locale": "en",
        "zoneinfo": "Africa/Lagos",
    },
    "languages": {"en": "English", "es": "Español"},
    "zones": {
        "UTC": ["UTC"],
        "Africa": ["Africa/Cairo", "Africa/Lagos"],
        "America": ["America/Bogota", "America/New_York"],
        "Europe": ["Europe/Berlin", "Europe/Madrid"],
    },
    "tenants": MEMBERSHIPS,
}

ACCOUNT_SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "account": ("account/profile.html", PROFILE),
    "account-wrong": (
        "account/profile.html",
        PROFILE
        | {
            "shown": PROFILE["own"] | {"name": "", "zoneinfo": "Mars"},
            "errors": {
                "name": "Enter a name in one line, of at most 120 characters.",
                "zoneinfo": "Choose one of these time zones.",
            },
        },
    ),
    "account-alone": ("account/profile.html", PROFILE | {"tenants": []}),
    "account-sessions": (
        "account/sessions.html",
        account("/account/sessions") | {"sessions": SESSIONS, "ended": SIGN_OUTS},
    ),
    "account-security": (
        "account/security.html",
        account("/account/security")
        | {
            "password_changed": NOW - 12 * DAY,
            "linked": LINKED,
            "factors": FACTORS,
            "left": 8,
            "named": ["passkey", "security_key"],
            "sends_texts": True,
            "takes_keys": True,
        },
    ),
    "account-security-bare": (
        "account/security.html",
        account("/account/security")
        | {"password_changed": None, "factors": [], "left": None, "named": []},
    ),
    "account-factor-app": (
        "account/factor_app.html",
        account("/account/security")
        | {
            "picture": "",
            "secret": "JBSW Y3DP EHPK 3PXP",
            "address": "otpauth://totp/x",
            "errors": {"code": "The code is not right."},
        },
    ),
    "account-factor-text": (
        "account/factor_code.html",
        account("/account/security") | {"way": "text", "number": "+1"},
    ),
    "account-factor-mail": (
        "account/factor_code.html",
        account("/account/security") | {"way": "mail", "was_sent": True},
    ),
    "account-factor-key": (
        "account/factor_key.html",
        account("/account/security") | {"party": "127.0.0.1"},
    ),
    "account-factor-name": (
        "account/factor_name.html",
        account("/account/security") | {"factor": FACTORS[0]},
    ),
    "account-unlink": (
        "account/unlink.html",
        account("/account/security")
        | {"linked": LINKED[0][0], "provider": {"name": "Google", "is_companys": False}},
    ),
    "account-factor-remove": (
        "account/factor_remove.html",
        account("/account/security") | {"factor": FACTORS[0]},
    ),
    "account-factor-remove-last": (
        "account/factor_remove.html",
        account("/account/security") | {"factor": FACTORS[1], "is_last": True, "who_demands": []},
    ),
    "account-factor-remove-required": (
        "account/factor_remove.html",
        account("/account/security")
        | {"factor": FACTORS[2], "is_last": True, "who_demands": ["Northwind Lending"]},
    ),
    "account-recovery-codes": (
        "account/recovery_codes.html",
        account("/account/security") | {"left": 3},
    ),
    "account-recovery-codes-made": (
        "account/recovery_codes.html",
        account("/account/security")
        | {"codes": [f"7K2M-9QRT-4XYZ-0{number}AB" for number in range(10)]},
    ),
    "account-email": (
        "account/email.html",
        account("/account/security") | {"waiting": None},
    ),
    "account-email-wrong": (
        "account/email.html",
        account("/account/security")
        | {
            "waiting": {"new_email": "amara@okafor.example", "expires_at": NOW - MINUTE},
            "email": "amara",
            "errors": {"email": "Enter an e-mail address."},
        },
    ),
    "account-email-confirm": (
        "account/email_confirm.html",
        account("/account/security") | {"token": "t_1", "new_email": "amara@okafor.example"},
    ),
    "account-email-undo": (
        "account/email_undo.html",
        {"token": "t_2", "old_email": AMARA["email"]},
    ),
    "account-email-undone": ("account/email_undone.html", {}),
    "account-history": (
        "account/history.html",
        account("/account/history") | {"events": EVENTS, "next": "c_1", "is_whole": False},
    ),
    "account-history-empty": (
        "account/history.html",
        account("/account/history") | {"events": [], "next": None, "is_whole": True},
    ),
    "account-requests": (
        "account/requests.html",
        account("/account/requests")
        | {
            "asked": [
                {
                    "name": "r1",
                    "client_name": "Northwind hotline",
                    "product": LMS,
                    "message": "Call W-4711: another account for the monthly payments",
                    "at": NOW - 2 * MINUTE,
                    "until": NOW + 8 * MINUTE,
                },
                {
                    "name": "r2",
                    "client_name": "Ledgerline",
                    "product": PAYMENTS,
                    "message": None,
                    "at": NOW - MINUTE,
                    "until": NOW + 9 * MINUTE,
                },
            ]
        },
    ),
    "account-requests-none": (
        "account/requests.html",
        account("/account/requests") | {"asked": []},
    ),
    "request-allowed": ("account/request_decided.html", {"outcome": "allowed"}),
    "account-products-none": (
        "account/products.html",
        account("/account/products") | {"products": [], "consents": []},
    ),
    "account-products": (
        "account/products.html",
        account("/account/products")
        | {
            "products": [
                LMS | {"sessions": 2, "at": NOW - 3 * HOUR},
                PAYMENTS | {"sessions": 1, "at": NOW - 2 * DAY},
            ],
            "consents": [
                {
                    "id": "ledgerline",
                    "client_name": "Ledgerline",
                    "tenant_name": "Northwind Lending",
                    "scopes": ["Know who you are", "Read loans"],
                    "given": NOW - 30 * DAY,
                }
            ],
        },
    ),
}
