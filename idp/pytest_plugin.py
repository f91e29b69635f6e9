"""The pytest plugin: a provider for a product's tests, as the fixture `latchkey`.

It is started by the first test that asks for it and serves all of a session's; before each test
that comes after one that touched it, it is reset. Nothing is imported or started for tests that
don't ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from idp.testing import Latchkey

RUNNING = pytest.StashKey["Latchkey"]()
MARKER = "latchkey(reset=True): with reset=False, the provider stays as the test before left it."


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def latchkey_clients() -> Mapping[str, str | Sequence[str]]:
    """Override it: your product's redirect URIs, by client id."""
    return {}


@pytest.fixture(scope="session")
def latchkey_file() -> str | PathLike[str] | None:
    """Override it: a set-up file, as `idp apply` takes it."""
    return None


@pytest.fixture(scope="session")
def latchkey(
    request: pytest.FixtureRequest,
    latchkey_clients: Mapping[str, str | Sequence[str]],
    latchkey_file: str | PathLike[str] | None,
) -> Iterator[Latchkey]:
    """A provider that runs (idp.testing.Latchkey), as it was started at the beginning of each
    test."""
    from idp.testing import running

    stash = request.config.stash
    with running(latchkey_clients, latchkey_file) as stash[RUNNING]:
        yield stash[RUNNING]
    del stash[RUNNING]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture of the test's own."""
    latchkey = item.config.stash.get(RUNNING, None)
    marker = item.get_closest_marker("latchkey")
    is_kept = marker is not None and not marker.kwargs.get("reset", True)
    if latchkey and latchkey.is_touched and not is_kept:
        latchkey.reset()
