"""One form for each value, the same that everybody else comes to (RFC 8785)."""

from __future__ import annotations

import json
import math
import struct
import subprocess
from random import Random

import orjson
import pytest

from idp.canonical_json import canonical_json
from tests.machine.node import find_node

RFC_8785_APPENDIX_B = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
ASK_NODE = """
const numbers = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const view = new DataView(new ArrayBuffer(8));
console.log(JSON.stringify(numbers.map(bits => {
  view.setBigUint64(0, BigInt('0x' + bits));
  return JSON.stringify(view.getFloat64(0));
})));
"""


def double(bits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


@pytest.mark.parametrize("bits", RFC_8785_APPENDIX_B)
def test_the_numbers_of_the_standard_are_written_as_it_writes_them(bits: str) -> None:
    assert canonical_json(double(bits)).decode() == RFC_8785_APPENDIX_B[bits]


def test_numbers_are_written_as_a_javascript_engine_writes_them() -> None:
    random = Random(8785)
    bits = [f"{random.getrandbits(64):016x}" for _ in range(20_000)]
    bits += [struct.pack(">d", random.random() * 10**n).hex() for n in range(-9, 24)]
    bits = [each for each in bits if math.isfinite(double(each))]
    told = subprocess.run(
        [find_node(), "-e", ASK_NODE],
        input=json.dumps(bits),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [canonical_json(double(each)).decode() for each in bits]
    assert ours == json.loads(told)


def test_members_are_in_the_order_of_the_standard() -> None:
    """RFC 8785 section 3.2.3: by UTF-16 code units, which is not the order of code points."""
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    values = list(json.loads(canonical_json(names)).values())
    assert values == [2, 4, 6, 7, 1, 5, 3]
    assert canonical_json({"b": {"d": 1, "c": 2}, "a": [{"z": 1, "y": 2}]}) == (
        b'{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}'
    )


def test_text_is_escaped_where_it_must_be_and_nowhere_else() -> None:
    """RFC 8785 section 3.2.2.2."""
    text = '\u20ac$\x0f\nA\'B"\\\\"/\x7f\u2028\b\t\f\r\x00'
    written = r'"€$\u000f\nA' + "'" + r"B\"\\\\\"/" + "\x7f\u2028" + r'\b\t\f\r\u0000"'
    assert canonical_json(text).decode() == written


@pytest.mark.parametrize(
    "value",
    [
        *({}, [], None, True, False, 0, -1, 1.5, "", "é漢🔑", 2**53, -(2**53), 1e300),
        {"a": [1, 2.0, {"b": None}], "é": [[[]]]},
    ],
    ids=repr,
)
def test_what_is_written_reads_back_and_is_written_the_same_again(value: object) -> None:
    written = canonical_json(value)
    assert orjson.loads(written) == value
    assert canonical_json(orjson.loads(written)) == written


def test_a_whole_number_that_a_double_can_not_hold_is_written_as_the_double_that_it_becomes() -> (
    None
):
    assert canonical_json(2**53 + 1) == b"9007199254740992"
    assert canonical_json(-(2**63)) == b"-9223372036854776000"
    assert canonical_json(orjson.loads(b"-9223372036854776000")) == b"-9223372036854776000"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_in_json_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON has no"):
        canonical_json(value)
