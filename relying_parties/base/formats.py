"""How amounts and dates are written on the screens."""

from datetime import date, datetime
from decimal import Decimal


def money(amount: Decimal) -> str:
    """1234.5 -> $1,234.50"""
    return f"${amount:,.2f}"


def whole_money(amount: Decimal) -> str:
    """1234.5 -> $1,234: for totals, where cents are noise."""
    return f"${amount:,.0f}"


def rate(percent: Decimal) -> str:
    return f"{percent:.2f}%"


def day(value: date) -> str:
    """2 Dec 2026: no reader takes the day for the month."""
    return f"{value.day} {value:%b %Y}"


def moment(value: datetime) -> str:
    return f"{value.day} {value:%b}, {value:%H:%M} UTC"


FILTERS = {
    "money": money,
    "whole_money": whole_money,
    "rate": rate,
    "day": day,
    "moment": moment,
}
