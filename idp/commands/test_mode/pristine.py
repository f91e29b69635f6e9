"""The database as it was when all that was declared at the start had been made, and the way back to
it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import cast

from idp.lanes import SqliteLanes
from idp.provider import Provider


class Pristine:
    """Of a provider on SQLite, kept in memory."""

    def __init__(self, held: Provider) -> None:
        self._path = str(held.database.url.database)
        self._kept = sqlite3.connect(":memory:", check_same_thread=False)
        with closing(sqlite3.connect(self._path)) as live:
            live.backup(self._kept)

    def put_back(self, held: Provider, now: float) -> None:
        """While nobody else writes. The version row goes back too, so what was loaded by it is
        looked at here, lest another change be counted alike."""
        lanes = cast(SqliteLanes, held.database.lanes)
        with lanes.turn, closing(sqlite3.connect(self._path)) as live:
            self._kept.backup(live)
        held.catalog.newest(now)
        held.key_ring.newest(now)
