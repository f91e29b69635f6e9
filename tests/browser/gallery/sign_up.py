"""Opening an account by oneself."""

from typing import Any

from tests.browser.gallery.people import BEN, PAYMENTS
from tests.browser.gallery.sign_in import SIGN_IN

ASKING: dict[str, Any] = {
    "attempt": "at_7Qm2",
    "product": PAYMENTS,
    "email": "",
    "back": "/answer",
    "minutes": 60,
    "errors": {},
}
OPENING: dict[str, Any] = {
    "product": PAYMENTS,
    "token": "a-link",
    "email": "nadia@fresh.example",
    "is_founder": True,
    "is_admitted": False,
    "name": "",
    "company": "",
    "password_hint": "At least 10 letters or digits. Spaces and everything else are welcome too.",
    "errors": {},
}

SIGN_UP_SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "sign-in-or-sign-up": (
        "login/sign_in.html",
        SIGN_IN | {"chosen": "payments", "sign_up_url": "/answer"},
    ),
    "sign-up": ("login/sign_up.html", ASKING),
    "sign-up-without-an-address": (
        "login/sign_up.html",
        ASKING | {"email": "nadia", "errors": {"email": "Enter your e-mail address."}},
    ),
    "sign-up-asked": ("login/sign_up_asked.html", ASKING),
    "sign-up-closed": ("login/sign_up_closed.html", OPENING),
    "sign-up-suspended": ("login/sign_up_closed.html", OPENING | {"is_suspended": True}),
    "sign-up-open": ("login/sign_up_open.html", OPENING),
    "sign-up-refused": (
        "login/sign_up_open.html",
        OPENING
        | {
            "name": "Nadia New",
            "errors": {
                "company": "Enter the name of your company.",
                "password": "This repeats itself. Choose something less regular.",
            },
        },
    ),
    "sign-up-elsewhere-now": (
        "login/sign_up_open.html",
        OPENING
        | {
            "is_founder": False,
            "name": "Nadia New",
            "error": "Where you belong has changed. Look, and send it again.",
        },
    ),
    "sign-up-at-a-company": ("login/sign_up_open.html", OPENING | {"is_founder": False}),
    "sign-up-admitted": (
        "login/sign_up_open.html",
        OPENING | {"is_founder": False, "is_admitted": True},
    ),
    "sign-up-waiting": (
        "login/refused.html",
        {
            "person": BEN,
            "product": PAYMENTS,
            "is_waiting": True,
            "back_label": "Go back",
            "products": [],
            "not_me_url": "/answer",
        },
    ),
}
