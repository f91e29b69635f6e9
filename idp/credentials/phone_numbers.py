"""Phone numbers: one form (E.164), in countries that we write to, and none that costs more than a
text message should (security.md S52)."""

from __future__ import annotations

from idp.errors import told
from idp.settings import Settings

MAX_LETTERS = 40
SHOWN = 2
UNSOUND = told("Enter a mobile number with its country code, like +1 201 555 0123.")
ELSEWHERE = told("We do not send text messages to this country. Choose another way.")
NO_MOBILE = told("Text messages can't be sent to this kind of number. Enter a mobile number.")


class PhoneMistake(Exception):
    """`str` is the sentence for the person."""


def countries(settings: Settings) -> list[str]:
    """Two letters each (ISO 3166-1); a number without a country code is of the first."""
    return [each.strip().upper() for each in settings.sms_countries.split(",") if each.strip()]


def read(settings: Settings, claimed: str) -> str:
    """In E.164, like +12015550123. Premium and shared-cost numbers are no mobiles. Raises
    PhoneMistake."""
    import phonenumbers  # large, and few ask
    from phonenumbers import PhoneNumberFormat, PhoneNumberType

    allowed = countries(settings)
    try:
        number = phonenumbers.parse(claimed[:MAX_LETTERS], allowed[0] if allowed else None)
    except phonenumbers.NumberParseException as problem:
        raise PhoneMistake(UNSOUND) from problem
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise PhoneMistake(UNSOUND)
    if phonenumbers.region_code_for_number(number) not in allowed:
        raise PhoneMistake(ELSEWHERE)
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if phonenumbers.number_type(number) not in mobile:
        raise PhoneMistake(NO_MOBILE)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def masked(number: str) -> str:
    """All that a page shows of it: the last two digits."""
    return "••••" + number[-SHOWN:]
