"""What counts as a person's own words, and what as easy to guess (product.md P2): the edges."""

from __future__ import annotations

import pytest

from idp.policies import password_patterns
from idp.policies.password_rules import Why
from tests.security.choosing import why_not
from tests.world import AMARA, OLU, World

STRONG = "vt9kq2lw8zr4nbxj7hd3"
WEAK = "qwertyuiop" * 4
SIX = "!k?q9%v&t#x"  # letters and digits, with signs between that make it hard to guess
SEVEN = f"{SIX}/w"
COMPANY = "Northwind Lending"


@pytest.mark.parametrize("text", [STRONG + WEAK, WEAK + STRONG])
def test_p2_one_end_that_is_hard_to_guess_makes_the_whole_so(text: str) -> None:
    assert password_patterns.find(text, []) is None
    assert password_patterns.find(WEAK * 2, []) is not None


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        (f"northwindlending{SEVEN}", [COMPANY, "nor"], "own_words"),  # the longest goes first
        (f"joli{SEVEN}", ["Jo Li"], "own_words"),  # written as one
        (f"lms{SEVEN}", ["LMS"], "own_words"),
        (f"lms{SEVEN}z", ["LMS"], None),  # eight are left
        (f"ab{SEVEN}", ["AB"], None),  # two letters are no word
        (f"{SEVEN}abc", ["", "  ", "--"], None),
        (f"lnorthwindms{SIX}", [COMPANY, "LMS"], None),  # what was apart is none together
        ("z3phyrqu1ll42", ["Zephyrquill"], "own_words"),  # with digits for letters
        ("z3phyrqu1ll42", ["Other"], None),
    ],
)
def test_p2_own_words_are_what_stands_there(
    text: str, words: list[str], expected: str | None
) -> None:
    assert password_patterns.find(text, words) == expected


def test_p2_signs_are_read_as_letters_where_that_is_quickly_done() -> None:
    """In two ways or sixteen, not in seventy-two."""
    assert password_patterns._readable("p@$$w0rd") == "p@$$w0rd"
    many = "4@1!|5$7+"
    assert password_patterns._readable(many) != many


@pytest.mark.parametrize(
    "word", ["operator", "latchkey", "adeyemi", "lending", "payments"]
)  # of the address, the name, a company, a product
def test_p2_a_persons_words_are_of_all_that_is_known_of_them(world: World, word: str) -> None:
    email = AMARA if word == "lending" else OLU
    assert why_not(world, f"{word}{SEVEN}", email) is Why.OWN_WORDS
