"""What admins write for others to read: names and short descriptions."""

from __future__ import annotations

import unicodedata

import idna

JOINERS = "\u200c\u200d"  # scripts such as Persian and Devanagari are spelt with them
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories
MOST_MARKS = 6  # on one letter, in any script
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that are drawn as nothing


def one_line(text: str, most: int) -> str | None:
    """The text in one form (NFC), with single spaces; None where it is empty, longer than `most`
    characters, has no letter or digit, has characters that nobody sees, which make one name look
    like another, has piled marks, or begins what the header of a letter would decode (RFC 2047)."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    has_letter = any(unicodedata.category(letter)[0] in "LN" for letter in line)
    is_sound = len(line) <= most and has_letter and "=?" not in line and not has_piled_marks(line)
    return (
        line
        if is_sound and not any(_is_unseen(line, place) for place in range(len(line)))
        else None
    )


def has_piled_marks(line: str) -> bool:
    """Whether marks stand on no letter, or so many on one that they are drawn across the lines
    around it."""
    marks = MOST_MARKS  # as if there had been a letter before with all that it can bear
    for letter in line:
        marks = marks + 1 if unicodedata.category(letter)[0] == "M" else 0
        if marks > MOST_MARKS:
            return True
    return False


def _is_unseen(line: str, place: int) -> bool:
    """A joiner is one but where it joins (RFC 5892, appendices A.1 and A.2)."""
    letter = line[place]
    if letter in JOINERS:
        return not idna.core.valid_contextj(line, place)
    return letter in BLANKS or unicodedata.category(letter) in UNSEEN
