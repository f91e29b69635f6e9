"""Every page of the provider in every state, told with the demo's people."""

from typing import Any

from tests.browser.gallery.account import ACCOUNT_SCENES
from tests.browser.gallery.consent import CONSENT_SCENES
from tests.browser.gallery.letters import LETTERS
from tests.browser.gallery.passwords import PASSWORD_SCENES
from tests.browser.gallery.people import (
    AMARA,
    BEN,
    DAY,
    LMS,
    MENU,
    MINUTE,
    NORTHWIND,
    NOW,
    PRODUCTS,
)
from tests.browser.gallery.second_factors import SECOND_FACTOR_SCENES
from tests.browser.gallery.sign_in import SIGN_IN_SCENES
from tests.browser.gallery.sign_up import SIGN_UP_SCENES

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

SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    **SIGN_IN_SCENES,
    **CONSENT_SCENES,
    **PASSWORD_SCENES,
    **SIGN_UP_SCENES,
    **SECOND_FACTOR_SCENES,
    **ACCOUNT_SCENES,
    **LETTERS,
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
}
