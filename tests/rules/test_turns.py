"""Who waits for others' servers leaves a thread to everybody else (security.md R12)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from idp import turns
from idp.settings import UPSTREAM_THREADS
from idp.turns import REGISTRATIONS, NoTurn, Turns, clients_of


def test_clients_of_however_many_products_leave_a_thread_to_other_providers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "LINE_WAIT", 0.0)
    mine, waiting = Turns(), [clients_of("lms"), clients_of("payments"), REGISTRATIONS]
    assert len(waiting) == UPSTREAM_THREADS - 1
    with ExitStack() as held:
        for whom in waiting:
            held.enter_context(mine.wait_for(*whom))
        for whom in waiting:
            with pytest.raises(NoTurn), mine.wait_for(*whom):
                pass
        with mine.wait_for("https://provider.example"):
            pass
    with mine.wait_for(*clients_of("lms")):
        pass
