"""Parameters of a request: once each, of bounded size, valid UTF-8 (RFC 6749 section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

MAX_FIELDS = 64
MAX_VALUE = 4096


class Malformed(Exception):
    """The text is no form; says why, for the log."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """`values` holds what was sent once. A name sent twice is in `repeated` and nowhere else."""

    values: dict[str, str]
    repeated: frozenset[str]

    def get(self, name: str) -> str | None:
        """The value; an empty one is as good as none (RFC 6749 section 3.1)."""
        return self.values.get(name) or None

    def words(self, name: str) -> tuple[str, ...]:
        """A space-separated list, in order, each word once."""
        return tuple(dict.fromkeys((self.get(name) or "").split()))


def parse(*texts: str) -> Parameters:
    """Parse query strings and form bodies together: a name in two of them is a repeated one."""
    values: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in _pairs(texts):
        if name in values:
            repeated.add(name)
        values[name] = value
    return Parameters({n: v for n, v in values.items() if n not in repeated}, frozenset(repeated))


def _pairs(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for text in texts:
        try:
            pairs += parse_qsl(
                text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
            )
        except ValueError as problem:
            raise Malformed(str(problem)) from problem
    for name, value in pairs:
        if len(value) > MAX_VALUE or "\x00" in name + value:
            raise Malformed(f"parameter {name[:40]!r} is too long or holds a null character")
    return pairs
