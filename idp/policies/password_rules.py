"""What a password has to be, by the strictest of a person's companies (product.md P1, P2).

Letters and digits of any script are counted as code points after NFKC, every other character is
allowed too, and nothing is composed of classes (NIST SP 800-63B-4 section 3.1.1.2; security.md
section 4.5). Pure: what lists and old hashes know of a password is asked elsewhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from idp.credentials.password import FORMER_KEPT, MAX_PASSWORD_BYTES, is_too_long
from idp.policies import password_patterns

PASSWORD_ALONE_LENGTH = 15
SAME_BUT = 2  # letters in one place


class Bound(NamedTuple):
    """What a tenant may state: a whole number from `least` to `most`; `shipped` is what holds where
    it states none, and `recommended` what NIST SP 800-63B-4 advises."""

    name: str
    least: int
    most: int
    shipped: int
    recommended: int


MIN_ALNUM = Bound("password_min_alnum", 0, 20, 10, 0)
MIN_LENGTH = Bound("password_min_length", 8, 64, 10, PASSWORD_ALONE_LENGTH)
HISTORY = Bound("password_history", 0, FORMER_KEPT, 10, 10)
BOUNDS = (MIN_ALNUM, MIN_LENGTH, HISTORY)


class Why(StrEnum):
    """What is wrong with a password. Words for each are in `web/password_words.py`."""

    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    TOO_FEW_LETTERS = "too_few_letters"
    OWN_WORDS = "own_words"
    KEYBOARD = "keyboard"
    REPEATED = "repeated"
    SEQUENCE = "sequence"
    COMMON = "common"
    COMPROMISED = "compromised"
    USED_BEFORE = "used_before"
    LIKE_CURRENT = "like_current"


class Objection(NamedTuple):
    """`number` is how many were needed (or allowed, or are remembered), where that is the point."""

    why: Why
    number: int = 0


class Company(NamedTuple):
    """One that the person is in; `policy` is its JSON, `kind` that of the membership."""

    name: str
    policy: str
    kind: str


class Rules(NamedTuple):
    """Code points, and how many passwords are remembered, the current one included."""

    min_alnum: int
    min_length: int
    history: int


def rules_of(companies: Iterable[Company]) -> Rules:
    """The strictest; for somebody in no company, what is shipped."""
    policies = [(orjson.loads(each.policy), each.kind) for each in companies] or [({}, "")]
    return Rules(
        max(_stated(policy, MIN_ALNUM) for policy, _ in policies),
        max(_min_length(policy, kind) for policy, kind in policies),
        max(_stated(policy, HISTORY) for policy, _ in policies),
    )


def objection(
    rules: Rules, claimed: str, words: Iterable[str], current: str = ""
) -> Objection | None:
    """The first thing that is wrong, or None. `words` are those that a stranger would try first;
    `current` is the password that was typed beside it, if one was."""
    if is_too_long(claimed):
        return Objection(Why.TOO_LONG, MAX_PASSWORD_BYTES)
    text = unicodedata.normalize("NFKC", claimed)
    if len(text) < rules.min_length > rules.min_alnum:
        return Objection(Why.TOO_SHORT, rules.min_length)
    if not has_letters(text, rules.min_alnum):
        return Objection(Why.TOO_FEW_LETTERS, rules.min_alnum)
    if is_like(text, unicodedata.normalize("NFKC", current)):
        return Objection(Why.LIKE_CURRENT)
    found = password_patterns.find(text, words)
    return Objection(Why(found)) if found else None


def has_letters(text: str, least: int) -> bool:
    """Digits count as well, and each of any script."""
    return sum(map(str.isalnum, unicodedata.normalize("NFKC", text))) >= least


def is_like(claimed: str, current: str) -> bool:
    """A trivial change: the same words with other digits and signs, two letters more, less or other
    in one place, or backwards."""
    new, old = claimed.casefold(), current.casefold()
    stems = ["".join(filter(str.isalpha, text)) for text in (new, old)]
    return (
        (stems[0] == stems[1] != "")
        or new == old[::-1]
        or max(len(new), len(old)) - _in_common(new, old) <= SAME_BUT
    )


def _in_common(left: str, right: str) -> int:
    """Letters at the beginning and the end, none counted twice."""
    shorter = min(len(left), len(right))
    head = next((i for i in range(shorter) if left[i] != right[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if left[-1 - i] != right[-1 - i]), rest)
    return head + tail


def _min_length(policy: dict[str, Any], kind: str) -> int:
    """A company that has said that a password is enough for its people asks for a longer one."""
    stated = _stated(policy, MIN_LENGTH)
    is_password_enough = policy.get("second_factor", {}).get(kind, {}).get("mode") == "off"
    return max(stated, PASSWORD_ALONE_LENGTH) if is_password_enough else stated


def _stated(policy: dict[str, Any], bound: Bound) -> int:
    return min(max(int(policy.get(bound.name, bound.shipped)), bound.least), bound.most)
