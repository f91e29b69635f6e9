"""What `idp demo --test` starts, as a product's tests have it: one for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from idp.testing import Latchkey, running

CALLBACK = "http://localhost:9000/callback"


@pytest.fixture(scope="session")
def kept_under_test() -> Iterator[Latchkey]:
    with running({"wiki": CALLBACK}) as latchkey:
        yield latchkey


@pytest.fixture
def under_test(kept_under_test: Latchkey) -> Latchkey:
    """As it was when it started."""
    kept_under_test.reset()
    return kept_under_test
