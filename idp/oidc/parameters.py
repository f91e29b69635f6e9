"""Parameters of a request: once each, of bounded size, valid UTF-8 (RFC 6749 section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

MAX_FIELDS = 64
MAX_VALUE = 4096
MAX_TOKEN = 16 * 1024
TOKENS = frozenset(
    {"token", "access_token", "id_token_hint", "subject_token", "actor_token", "request"}
)
MAY_REPEAT = frozenset({"resource", "audience"})  # RFC 8707 section 2, RFC 8693 section 2.1


class Malformed(Exception):
    """The text is no form; says why, for the log."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """`values` holds what was sent once. A name sent twice is in `repeated` and nowhere else, but
    for the few that may be, whose values stand on lines of their own."""

    values: dict[str, str]
    repeated: frozenset[str]

    def get(self, name: str) -> str | None:
        """The value; an empty one is as good as none (RFC 6749 section 3.1)."""
        return self.values.get(name) or None

    def words(self, name: str) -> tuple[str, ...]:
        """A space-separated list, in order, each word once."""
        return tuple(dict.fromkeys((self.get(name) or "").split()))

    def each(self, name: str) -> tuple[str, ...]:
        """All that was sent of one that may be sent again, in order, each value once."""
        sent = self.get(name)
        return tuple(dict.fromkeys(filter(None, sent.splitlines()))) if sent else ()


def parse(*texts: str) -> Parameters:
    """Parse query strings and form bodies together: a name in two of them is a repeated one."""
    values: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in _pairs(texts):
        if name not in values:
            values[name] = value
        elif name in MAY_REPEAT:
            values[name] += f"\n{value}"
        else:
            repeated.add(name)
    for name in repeated:
        del values[name]
    return Parameters(values, frozenset(repeated))


def _pairs(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names and values in order, decoded as HTML forms are (WHATWG URL section 5.1)."""
    pairs: list[tuple[str, str]] = []
    for text in texts:
        fields = text.split("&")
        if len(fields) > MAX_FIELDS:
            raise Malformed("too many fields")
        if has_broken_escapes(text):
            raise Malformed("percents that begin no escape")
        for field in fields:
            if field:
                name, _, value = field.partition("=")
                pairs.append((_decoded(name), _decoded(value)))
    for name, value in pairs:
        if (
            len(value) > (MAX_TOKEN if name in TOKENS else MAX_VALUE)
            or "\x00" in name
            or "\x00" in value
        ):
            raise Malformed(f"parameter {name[:40]!r} is too long or holds a null character")
    return pairs


def has_broken_escapes(text: str) -> bool:
    """There are more percents than would fit, each with its two digits: of such a text much is
    taken apart for nothing (security.md S74). A few that are broken stand for themselves."""
    return text.count("%") * len("%41") > len(text)


def _decoded(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as problem:
        raise Malformed(str(problem)) from problem
