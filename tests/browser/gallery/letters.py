"""What is sent by mail and by text message."""

from typing import Any

from tests.browser.gallery.people import AMARA

LETTERS: dict[str, tuple[str, dict[str, Any]]] = {
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
    "mail-sign-up": (
        "mail/sign_up.txt",
        {"person": AMARA, "minutes": 60, "link": "https://id.example/login/sign_up/open?token=a"},
    ),
    "mail-sign-up-known": (
        "mail/sign_up_known.txt",
        {"person": AMARA, "url": "https://id.example/"},
    ),
    "mail-sign-up-closed": ("mail/sign_up_closed.txt", {"person": AMARA}),
    "mail-sign-up-suspended": ("mail/sign_up_closed.txt", {"person": AMARA, "is_suspended": True}),
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
