"""JSON in one form for each value: RFC 8785, the JSON Canonicalization Scheme.

Whoever has the value can come to the same bytes, in any language, and so to the same hash.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

LARGEST_EXACT = 2**53


def canonical_json(value: Any) -> bytes:
    """UTF-8 without white space; members in the order of their names' UTF-16 code units; numbers
    as ECMAScript writes a double. `value` is plain JSON, or an `orjson.Fragment` in this form."""
    return orjson.dumps(_arranged(value))


def _arranged(value: Any) -> Any:
    if isinstance(value, dict):
        order = None if "".join(value).isascii() else _utf_16
        return {name: _arranged(value[name]) for name in sorted(value, key=order)}
    if isinstance(value, list):
        return [_arranged(each) for each in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST_EXACT):
        return orjson.Fragment(_number(float(value)))
    return value


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _number(value: float) -> str:
    """ECMA-262 section 6.1.6.1.20, on the shortest digits that read back as the same double."""
    negative, digits, exponent = Decimal(repr(value)).as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"JSON has no {value}")
    point = len(digits) + exponent
    text = "".join(map(str, digits)).rstrip("0")
    if not text:
        return "0"
    return "-" * negative + _placed(text, point)


def _placed(digits: str, point: int) -> str:
    """The number 0.digits × 10^point."""
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
