"""How many rows a table has, and a digest of them all, whatever their order."""

from __future__ import annotations

from hashlib import blake2b

DIGEST_BYTES = 16
_MODULUS = 1 << (8 * DIGEST_BYTES)


class Tally:
    """Two tables have the same one if they have the same rows, in whichever database they are."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, lines: list[bytes]) -> None:
        """Rows as lines of a backup file."""
        self.rows += len(lines)
        self._sum += sum(
            int.from_bytes(blake2b(line, digest_size=DIGEST_BYTES).digest()) for line in lines
        )

    @property
    def told(self) -> list[int | str]:
        """As the end of a backup file has it."""
        return [self.rows, f"{self._sum % _MODULUS:032x}"]
