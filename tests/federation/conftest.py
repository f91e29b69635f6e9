"""Somebody else's provider, which each test finds sound, and a client of it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.federation.party import BACK, Party, party_of
from tests.machine.upstream import UpstreamProvider, running_upstream


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[UpstreamProvider]:
    with running_upstream(BACK) as provider:
        provider.drip_seconds = 0.01
        yield provider


@pytest.fixture
def upstream(shared_upstream: UpstreamProvider) -> Iterator[UpstreamProvider]:
    yield shared_upstream
    shared_upstream.fault = None


@pytest.fixture
def party(upstream: UpstreamProvider) -> Iterator[Party]:
    with closing(party_of(upstream)) as client:
        yield client
