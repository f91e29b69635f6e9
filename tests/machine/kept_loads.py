"""What a provider loads of its database, loaded once for all copies of one original: its catalogue
and its keys, which are nobody's to change. A copy that somebody has written to is read itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from idp.provider import Provider

Load = Callable[[Any], Any]
IsAsCopied = Callable[[], bool]


class KeptLoads:
    """Of one original."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def lend(self, held: Provider, is_as_copied: IsAsCopied) -> None:
        """To a provider that has looked at nothing yet."""
        self._lend("catalog", held.catalog, is_as_copied)
        self._lend("key_ring", held.key_ring, is_as_copied)

    def _lend(self, name: str, versioned: Any, is_as_copied: IsAsCopied) -> None:
        versioned._load = partial(self._loaded, name, versioned._load, is_as_copied)

    def _loaded(self, name: str, load: Load, is_as_copied: IsAsCopied, known: Any) -> Any:
        if name in self._kept and is_as_copied():
            return self._kept[name]
        loaded = load(known)
        if is_as_copied():
            self._kept[name] = loaded
        return loaded


def is_file_as_copied(original: Path, copy: Path) -> bool:
    """The time of its last change was copied with it. What is written goes to a log beside it
    first."""
    log = copy.with_name(f"{copy.name}-wal")
    if log.exists() and log.stat().st_size:
        return False
    now, then = copy.stat(), original.stat()
    return (now.st_mtime_ns, now.st_size) == (then.st_mtime_ns, then.st_size)
