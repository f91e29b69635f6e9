"""Every check of the list has a test that bears its number, or a reason why it has none."""

from __future__ import annotations

import re
from pathlib import Path

from tests.security.reasons import REASONS

FOLDER = Path(__file__).parent
CHECKS = frozenset(f"S{number:02}" for number in range(1, 85))


def checks_with_a_test() -> frozenset[str]:
    return frozenset(
        f"S{number}"
        for path in FOLDER.glob("test_*.py")
        for number in re.findall(r"^def test_sec_(\d\d)_", path.read_text(), re.MULTILINE)
    )


def test_each_check_has_a_test_or_a_reason() -> None:
    assert sorted(CHECKS - checks_with_a_test() - frozenset(REASONS)) == []


def test_a_reason_is_a_sentence_about_a_check_of_the_list() -> None:
    for name, reason in REASONS.items():
        assert name.partition(":")[0] in CHECKS, name
        assert re.fullmatch(r"[A-Z].{30,}\.", reason), name


def test_only_a_part_may_lack_a_test_where_the_rest_has_one() -> None:
    """A reason for a whole check is out of date once somebody tests it."""
    assert sorted(checks_with_a_test() & frozenset(REASONS)) == []


def test_no_test_bears_a_number_that_is_not_on_the_list() -> None:
    assert checks_with_a_test() <= CHECKS
