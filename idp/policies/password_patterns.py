"""Passwords that a stranger would try early: runs on the keyboard, repeats, sequences, common words
and the person's own (zxcvbn's patterns, product.md P2).

zxcvbn's work grows with the square of the letters and with the number of ways to read signs as
letters, up to seconds, and its own entry keeps the user's words in a dictionary that all threads
share; so it is called piecewise here, on bounded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

LETTERS = 40  # looked at from either end; so much that is hard to guess makes the whole so
GUESSES = 10**8  # zxcvbn's "safely unguessable: moderate protection from offline slow-hash"
READINGS = 16  # ways to read signs and digits as letters
REST = 8  # letters and digits that must be left beside the person's own words
SHORTEST_WORD = 3

_SIGNS = {ord(sign): chr(0xE000 + ord(sign)) for sign in "@({[<!|$+%"}
_REASONS = {"spatial": "keyboard", "repeat": "repeated", "sequence": "sequence"}


def find(text: str, words: Iterable[str]) -> str | None:
    """The name of what makes it easy to guess, or None. `text` is normalized; of `words`, each part
    counts that has three letters or digits."""
    own = sorted(set(_parts(words)), key=lambda word: (-len(word), word))
    if _is_of_own_words(text.casefold(), own):
        return "own_words"
    ends = dict.fromkeys((text[:LETTERS], text[-LETTERS:]))
    found = [_easy(end, own) for end in ends]
    return next(iter(found)) if all(found) else None


def _parts(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        folded = word.casefold()
        pieces = re.findall(r"[^\W_]+", folded)
        yield from (each for each in (*pieces, "".join(pieces)) if len(each) >= SHORTEST_WORD)


def _is_of_own_words(text: str, own: Iterable[str]) -> bool:
    """Nothing much is left without them."""
    rest = text
    for word in own:
        rest = rest.replace(word, " ")
    return rest != text and sum(map(str.isalnum, rest)) < REST


def _easy(text: str, own: list[str]) -> str | None:
    from zxcvbn import matching, scoring  # its lists are large, and few ask

    text = _readable(text)
    dictionaries = {**matching.RANKED_DICTIONARIES, "own": matching.build_ranked_dict(own)}
    matches = matching.omnimatch(text, dictionaries)
    result = scoring.most_guessable_match_sequence(text, matches)
    return _reason(result["sequence"]) if result["guesses"] < GUESSES else None


def _readable(text: str) -> str:
    """With few ways to be read: a text of many different signs spells no word."""
    from zxcvbn import matching

    table = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    return text.translate(_SIGNS) if prod(map(len, table.values())) > READINGS else text


def _reason(sequence: list[dict[str, Any]]) -> str:
    """What most of it is."""
    largest = max(sequence, key=lambda match: len(match["token"]))
    if largest.get("dictionary_name") == "own":
        return "own_words"
    return _REASONS.get(largest["pattern"], "common")
