"""A second factor that is asked for, and one that is set up on the way."""

from typing import Any

from markupsafe import Markup

from idp.credentials.totp import Offer
from tests.browser.gallery.consent import DETAILS
from tests.browser.gallery.people import AMARA, PAYMENTS

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

SECOND_FACTOR_SCENES: dict[str, tuple[str, dict[str, Any]]] = {
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
    "second-factor-details": ("login/second_factor.html", CHALLENGE | {"details": DETAILS}),
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
}
