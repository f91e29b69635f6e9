"""What was filled in as text, and is to be a number or a day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson


def whole_number(claimed: str) -> int | None:
    """From 0 to 999,999,999, which every database can keep; None for what is no such number."""
    text = claimed.strip()
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def number_or_nothing(claimed: str) -> int | str | None:
    """None for nothing. What is no such number stays text, which a form then refuses."""
    text = claimed.strip()
    number = whole_number(text)
    return (text or None) if number is None else number


def document(claimed: str) -> Any:
    """JSON. What is none stays text, which a form then refuses."""
    try:
        return orjson.loads(claimed)
    except orjson.JSONDecodeError:
        return claimed


def written(value: Any) -> str:
    """JSON to be changed by a person; nothing for what is empty."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if value else ""


def day(claimed: str, after: int = 0) -> float | None:
    """When the day begins in UTC, from a date as its field sends it, and so many days later. None
    for what is no day."""
    try:
        begins = datetime.strptime(claimed.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
        return (begins + timedelta(days=after)).timestamp()
    except (ValueError, OverflowError):
        return None
