"""The other provider, and the world that knows it as `google`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.federation.signing_in import register
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider, running_upstream
from tests.world import AMARA, World


@pytest.fixture
def upstream(either_world: World) -> Iterator[UpstreamProvider]:
    """Which LMS takes; its account has Amara's address."""
    with known_to(either_world) as started:
        yield started


@contextmanager
def known_to(world: World) -> Iterator[UpstreamProvider]:
    with running_upstream() as started:
        started.account = Account("1001", AMARA)
        started.drip_seconds = 0.05
        register(world, started, "lms")
        yield started
