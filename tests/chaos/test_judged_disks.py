"""What R8 judges beside the invariants, by forged histories and a file that is ruined."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chaos.damage import damage_in
from chaos.history import Fault
from chaos.scenarios import r08_full_disk
from tests.chaos.forged import operation
from tests.chaos.test_judges import failed, judged


def test_r8_who_writes_is_told_so_and_who_reads_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r08_full_disk, "damage_of", lambda _: [])
    for place in (r08_full_disk.DATA, r08_full_disk.AUDIT):
        full = {"faults": (Fault(place, 10.0, 20.0),)}
        assert judged("R8", failed(12, 503), **full) == 0
        assert judged("R8", operation(12), **full) == 1
        assert judged("R8", failed(12, 500), **full) == 1
        assert judged("R8", failed(12, 503), failed(13, 503, kind="jwks"), **full) == 1


def test_r8_nobody_misses_the_log_or_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r08_full_disk, "damage_of", lambda _: [])
    for place in r08_full_disk.SPARED:
        full = {"faults": (Fault(place, 10.0, 20.0),)}
        assert judged("R8", operation(12), **full) == 0
        assert judged("R8", failed(12, 503), **full) == 1


@pytest.mark.parametrize("page", [0, 1, 2])
def test_r8_and_r9_damage_is_seen(page: int, tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript("CREATE TABLE a (b UNIQUE); INSERT INTO a VALUES (1), (2)")
    assert not list(damage_in(file))
    with file.open("r+b") as ruined:
        ruined.seek(page * 4096 + 100)
        ruined.write(bytes(3996))
    assert list(damage_in(file))
