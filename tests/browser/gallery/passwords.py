"""A password that was forgotten, has to be changed, or is changed in the account."""

from typing import Any

from tests.browser.gallery.account import account
from tests.browser.gallery.people import AMARA
from tests.browser.gallery.sign_in import STEP

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

PASSWORD_SCENES: dict[str, tuple[str, dict[str, Any]]] = {
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
}
