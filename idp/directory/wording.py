"""What admins write for others to read: names and short descriptions."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # scripts such as Persian and Devanagari are spelt with them
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def one_line(text: str, most: int) -> str | None:
    """The text in one form (NFC), with single spaces; None where it is empty, longer than `most`
    characters, or has characters that nobody sees, which make one name look like another."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    is_sound = 0 < len(line) <= most and not any(
        unicodedata.category(letter) in UNSEEN and letter not in JOINERS for letter in line
    )
    return line if is_sound else None
