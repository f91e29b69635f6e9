"""What a client is allowed, and how it tells of itself."""

from typing import Any

from tests.browser.gallery.people import AMARA, CONNECTIONS, NORTHWIND, NOW

LOGO = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX///8Ublo+LSYRAAAAL"
    "0lEQVR42mP8zwABTAwDwvjI9JexYcBsJ4HBwsDAwPyfEnP+MzIyctDQhYwDEZUAd+EG/BIhHBwAAAAASUVORK5CYII="
)
CLIENT: dict[str, Any] = {
    "name": "Ledgerline",
    "host": "app.ledgerline.example",
    "logo_url": None,
    "client_uri": None,
    "policy_uri": None,
    "tos_uri": None,
    "is_self_registered": False,
}
STRANGER: dict[str, Any] = CLIENT | {
    "logo_url": LOGO,
    "client_uri": "https://ledgerline.example",
    "policy_uri": "https://ledgerline.example/privacy",
    "tos_uri": "https://ledgerline.example/terms",
    "is_self_registered": True,
}
DETAILS: list[dict[str, Any]] = [
    {
        "title": "Payout",
        "sentence": "Pay USD 4,200.00 to Meridian Freight",
        "product": "Secure Payments",
        "fields": [
            ("Amount", "4200.00"),
            ("Currency", "USD"),
            ("To", "Meridian Freight"),
            ("Account", "GB33BUKB20201555555555"),
        ],
    },
    {
        "title": "Account information",
        "sentence": "See the balance of Operating account",
        "product": "Secure Payments",
        "fields": [("Account", "Operating account"), ("See", "Balance"), ("See", "Payouts")],
    },
]
CONSENT: dict[str, Any] = {
    "action": "/answer",
    "attempt": "at_7Qm2",
    "person": AMARA,
    "not_me_url": "/login?other=1",
    "product": CONNECTIONS,
    "client": CLIENT,
    "tenant": NORTHWIND["name"],
    "shown": "a-mark",
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
}
ELSEWHERE: dict[str, Any] = {
    "user_code": "WDJB-MJHT",
    "at": NOW - 120,
    "address": "203.0.113.66",
    "is_near": False,
}

CONSENT_SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "consent": ("login/consent.html", CONSENT),
    "consent-self-registered": ("login/consent.html", CONSENT | {"client": STRANGER}),
    "consent-details": ("login/consent.html", CONSENT | {"details": DETAILS}),
    "consent-device": (
        "login/consent.html",
        CONSENT
        | {"client": CLIENT | {"name": "Ledgerline till", "host": None}, "elsewhere": ELSEWHERE},
    ),
    "consent-asked": (
        "login/consent.html",
        CONSENT
        | {
            "client": CLIENT | {"name": "Northwind hotline", "host": None},
            "not_me_url": None,
            "elsewhere": {"user_code": None, "message": "Call W-4711", "at": NOW - 120},
        },
    ),
}
