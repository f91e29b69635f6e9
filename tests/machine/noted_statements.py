"""What is said to a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


@contextmanager
def noted(at: sa.Engine | sa.Connection) -> Iterator[list[str]]:
    """The statements that go by it meanwhile."""
    said: list[str] = []

    def note(*execution: Any) -> None:
        said.append(execution[2])

    sa.event.listen(at, "before_cursor_execute", note)
    try:
        yield said
    finally:
        sa.event.remove(at, "before_cursor_execute", note)
