"""Every page of the provider in every state, told with the demo's people."""

from typing import Any

from markupsafe import Markup

from idp.credentials.totp import Offer

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
}
STEP: dict[str, Any] = {
    "action": "/answer",
    "attempt": "at_7Qm2",
    "person": AMARA,
    "product": PAYMENTS,
    "not_me_url": "/login?other=1",
}

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


def account(path: str) -> dict[str, Any]:
    """What every page of the account has around it."""
    pages = {
        "/account": ("Profile", "user"),
        "/account/security": ("Sign-in and security", "shield-lock"),
        "/account/sessions": ("Devices and sessions", "devices"),
        "/account/history": ("Sign-in history", "history"),
        "/account/products": ("Connected products", "apps"),
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

MESSAGES = [
    {
        "channel": "mail",
        "to": AMARA["email"],
        "subject": "Sign-in is paused until 14:30",
        "body": "Hello Amara Okafor,\n\nSomeone entered a wrong password five times.\n"
        "Read more at http://localhost:8000/account\n\nLatchkey",
        "at": NOW - 4 * MINUTE,
    },
    {
        "channel": "sms",
        "to": "+1 415 555 0132",
        "subject": None,
        "body": "394 118 is your code for Secure Payments.",
        "at": NOW - 21 * MINUTE,
    },
    {
        "channel": "mail",
        "to": "grace@harbor.example",
        "subject": "Your invitation to Harbor Credit Union",
        "body": "Open http://localhost:8000/invite/4kq9 to accept.",
        "at": NOW - 2 * DAY,
        "error": "the mailbox is full",
    },
]

WRONG_DETAILS = "We could not sign you in. Check your details, or reset your password."

WAYS = [(method, "/answer") for method in ("totp", "sms", "email")]
OTHER_WAYS = [(method, "/answer") for method in ("sms", "recovery")]
CHALLENGE: dict[str, Any] = {
    "action": "/answer",
    "attempt": "at_7Qm2",
    "person": AMARA | {"id": "u_1"},
    "product": PAYMENTS,
    "method": "totp",
    "needs_sending": False,
    "is_sent": False,
    "destination": "••••23",
    "wait": 60,
    "before_enrolling": False,
    "reasons": ["Secure Payments always asks for one."],
    "others": OTHER_WAYS,
    "tries": None,
    "minutes": 30,
    "errors": {},
    "not_me_url": "/answer",
}
_OFFER = Offer("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", AMARA["email"])
ENROLMENT: dict[str, Any] = {
    "reasons": ["Northwind Lending requires it of its staff."],
    "action": "/answer",
    "attempt": "at_7Qm2",
    "person": AMARA | {"id": "u_1"},
    "product": PAYMENTS,
    "method": "",
    "ways": WAYS,
    "may_skip": False,
    "was_sent": False,
    "number": "",
    "destination": "",
    "change_url": "/answer",
    "wait": 60,
    "errors": {},
    "not_me_url": "/answer",
    "picture": Markup(_OFFER.picture()),
    "secret": _OFFER.groups,
    "address": _OFFER.address,
}
RESETTING: dict[str, Any] = {
    "attempt": "at_7Qm2",
    "token": "a-link",
    "email": AMARA["email"],
    "back": "/answer",
    "by_link": False,
    "minutes": 60,
    "hours": 24,
    "password_hint": "At least 10 letters or digits. Spaces and everything else are welcome too.",
    "errors": {},
}

SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "sign-in": ("login/sign_in.html", SIGN_IN),
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
    "forgot": ("login/forgot.html", RESETTING),
    "forgot-without-an-address": (
        "login/forgot.html",
        RESETTING | {"email": "amara", "errors": {"email": "Enter your e-mail address."}},
    ),
    "forgot-asked": ("login/forgot_asked.html", RESETTING),
    "reset-by-two-letters": ("login/reset.html", RESETTING),
    "reset-by-link": ("login/reset.html", RESETTING | {"by_link": True}),
    "reset-refused": (
        "login/reset.html",
        RESETTING
        | {
            "by_link": True,
            "errors": {"password": "You have used this password before. Choose a new one."},
        },
    ),
    "reset-sent": ("login/reset_sent.html", RESETTING),
    "reset-done": ("login/reset_done.html", RESETTING),
    "new-password": (
        "login/new_password.html",
        STEP | RESETTING | {"reason": "Yours is older than Secure Payments allows."},
    ),
    "account-password": (
        "account/password.html",
        account("/account/security") | RESETTING | {"has_password": True, "error": ""},
    ),
    "account-password-change": (
        "account/password_change.html",
        account("/account/security")
        | RESETTING
        | {
            "has_password": True,
            "errors": {"current": "This is not your password, or too many were wrong."},
        },
    ),
    "select-account": ("login/select_account.html", STEP),
    "tenant": ("login/tenant.html", STEP | {"tenants": MEMBERSHIPS, "chosen": "northwind"}),
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
    "consent": (
        "login/consent.html",
        STEP
        | {
            "product": CONNECTIONS,
            "client_name": "Ledgerline",
            "tenant": NORTHWIND["name"],
            "shown": "a-mark",
            "redirect_host": "app.ledgerline.example",
            "scopes": [
                {
                    "name": "openid",
                    "title": "Know who you are",
                    "description": "Your name and e-mail address",
                },
                {
                    "name": "offline_access",
                    "title": "Stay connected while you are away",
                    "description": "",
                },
                {
                    "name": "loans:read",
                    "title": "Read loans",
                    "description": "Balances and schedules, without changing them",
                },
            ],
        },
    ),
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
            "receipts": [LMS | {"status": "delivered"}, PAYMENTS | {"status": "delivered"}],
            "sign_in_url": "/",
        },
    ),
    "signed-out-partly": (
        "login/signed_out.html",
        {
            "receipts": [
                LMS | {"status": "pending"},
                PAYMENTS | {"status": "failed"},
                CONNECTIONS | {"status": "refused"},
            ],
            "sign_in_url": "/",
        },
    ),
    "home": (
        "home.html",
        {"menu": MENU, "person": AMARA, "tenant": NORTHWIND, "products": PRODUCTS},
    ),
    "home-empty": (
        "home.html",
        {
            "menu": MENU | {"person": BEN, "products": [], "tenants": [NORTHWIND]},
            "person": BEN,
            "tenant": NORTHWIND,
            "products": [],
        },
    ),
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
            "factors": FACTORS,
            "codes": {"label": "8"},
            "named": ["passkey", "security_key"],
            "sends_texts": True,
            "takes_keys": True,
        },
    ),
    "account-security-bare": (
        "account/security.html",
        account("/account/security")
        | {"password_changed": None, "factors": [], "codes": None, "named": []},
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
    "inbox": (
        "inbox.html",
        {
            "messages": MESSAGES,
            "to": "",
            "recipients": [AMARA["email"], "+1 415 555 0132", "grace@harbor.example"],
        },
    ),
    "inbox-empty": (
        "inbox.html",
        {"messages": [], "to": "nobody@northwind.example", "recipients": []},
    ),
    "error": (
        "error.html",
        {
            "title": "This link does not work",
            "message": "The application that sent you here gave an address we do not know. "
            "Go back to it and try again.",
            "code": "invalid_redirect_uri",
            "request_id": "01JD6Q3V9T",
            "back_url": "/",
            "back_label": "Go to sign-in",
        },
    ),
    "error-bare": (
        "error.html",
        {
            "title": "Something went wrong on our side",
            "message": "Nothing was lost. Wait a moment, then try again.",
            "code": 500,
            "request_id": "01JD6Q3V9T",
        },
    ),
    "form-post": (
        "form_post.html",
        {"action": "/answer", "fields": [("code", "c_81"), ("state", "xyz")], "product": LMS},
    ),
    "second-factor-app": ("login/second_factor.html", CHALLENGE),
    "second-factor-wrong": (
        "login/second_factor.html",
        CHALLENGE
        | {
            "errors": {"code": "That code did not work. Check it, or ask for another way."},
            "tries": 5,
            "minutes": 30,
        },
    ),
    "second-factor-send": (
        "login/second_factor.html",
        CHALLENGE | {"method": "sms", "is_sent": True, "needs_sending": True},
    ),
    "second-factor-sent": (
        "login/second_factor.html",
        CHALLENGE | {"method": "sms", "is_sent": True, "others": OTHER_WAYS[:1]},
    ),
    "second-factor-recovery": (
        "login/second_factor.html",
        CHALLENGE | {"method": "recovery", "others": []},
    ),
    "second-factor-before-enrolling": (
        "login/second_factor.html",
        CHALLENGE | {"before_enrolling": True, "others": []},
    ),
    "second-factor-key": (
        "login/second_factor.html",
        CHALLENGE | {"method": "passkey", "party": "id.latchkey.example"},
    ),
    "enrol-key": (
        "login/enrol_key.html",
        ENROLMENT | {"method": "passkey", "party": "id.latchkey.example", "ways": WAYS},
    ),
    "enrol-key-refused": (
        "login/enrol_key.html",
        ENROLMENT
        | {
            "method": "passkey",
            "party": "id.latchkey.example",
            "label": "Blue key",
            "errors": {
                "passkey": "That passkey could not be used. Try again, or choose another way."
            },
        },
    ),
    "enrol-choice": ("login/enrol_choice.html", ENROLMENT | {"ways": WAYS, "may_skip": True}),
    "enrol-app": ("login/enrol_app.html", ENROLMENT | {"method": "totp"}),
    "enrol-app-wrong": (
        "login/enrol_app.html",
        ENROLMENT
        | {
            "method": "totp",
            "errors": {"code": "That code did not work. Check it, or ask for another way."},
        },
    ),
    "enrol-number": ("login/enrol_code.html", ENROLMENT | {"method": "sms"}),
    "enrol-number-wrong": (
        "login/enrol_code.html",
        ENROLMENT
        | {
            "method": "sms",
            "number": "+371 21 234 567",
            "errors": {
                "number": "We do not send text messages to this country. Choose another way."
            },
        },
    ),
    "enrol-number-sent": (
        "login/enrol_code.html",
        ENROLMENT | {"method": "sms", "was_sent": True, "destination": "••••23"},
    ),
    "enrol-email": ("login/enrol_code.html", ENROLMENT | {"method": "email"}),
    "enrol-email-sent": (
        "login/enrol_code.html",
        ENROLMENT | {"method": "email", "was_sent": True, "destination": AMARA["email"]},
    ),
    "recovery-codes": (
        "login/recovery_codes.html",
        {
            "action": "/answer",
            "attempt": "at_7Qm2",
            "person": AMARA | {"id": "u_1"},
            "product": PAYMENTS,
            "codes": [f"7K{n}M-91PQ-XA4{n}-Z{n}TB" for n in range(10)],
        },
    ),
    "mail-code": (
        "mail/code.txt",
        {"person": AMARA, "code": "739158", "minutes": 5},
    ),
    "mail-code-text": (
        "mail/code_text.txt",
        {"person": AMARA, "code": "739158", "minutes": 5, "host": "id.example"},
    ),
    "mail-password-reset": (
        "mail/password_reset.txt",
        {"person": AMARA, "minutes": 60, "link": "https://id.example/login/reset?token=a-link"},
    ),
    "mail-password-temporary": (
        "mail/temporary_password.txt",
        {"person": AMARA, "hours": 24, "code": "k7mwp3-9fhtxe-bq4rud-w2nvja"},
    ),
    "mail-password-none": ("mail/no_password.txt", {"person": AMARA}),
    "mail-password-change": (
        "mail/password_change.txt",
        {"person": AMARA, "minutes": 60, "link": "https://id.example/account/password/a-link"},
    ),
    "mail-password-reminder": (
        "mail/password_reminder.txt",
        {
            "person": AMARA,
            "days": 14,
            "products": ["LMS"],
            "url": "https://id.example/account/password",
        },
    ),
    "mail-locked": (
        "mail/locked.txt",
        {
            "person": AMARA,
            "until": "14:30",
            "tries": 5,
            "reader": "person",
            "link": "https://id.example/unlock?token=x",
        },
    ),
}
