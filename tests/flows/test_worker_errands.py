"""What the worker does by the clock, each errand for itself."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from idp import worker
from idp.operators.health import WORKER_SEEN
from tests.world import World


def test_an_errand_that_fails_stops_neither_the_others_nor_the_worker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any) -> None:
        raise ValueError("a nameserver's answer that nobody thought of")

    monkeypatch.setattr("idp.worker.domain_looks.recheck", fail)
    with capture_logs() as said:
        worker.sweep(world.held)
    assert [each["event"] for each in said] == ["failed"]
    assert world.held.ephemeral.read(WORKER_SEEN, world.clock())
