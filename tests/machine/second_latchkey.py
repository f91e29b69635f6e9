"""Another Latchkey that people sign in at, to come to the first one: a company's own provider.

issuer, client_id, client_secret = second_latchkey(redirect_uri)

Its people are the demo's, and each gives `PASSWORD` of tests.world.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from idp import setup
from idp.provider import Provider
from tests.machine.processes import LOOPBACK, free_port
from tests.machine.provider_process import RunningProvider, start_provider
from tests.world import ADDRESSES, apply_demo

CLIENT_ID = "first-latchkey"
CLIENT_SECRET = "forty-characters-that-need-no-secrecy-at-all"


class SecondLatchkey(NamedTuple):
    issuer: str
    client_id: str
    client_secret: str


@pytest.fixture(scope="module")
def second_latchkey(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], SecondLatchkey]]:
    """Starts it, with a database of its own and `redirect_uri` for the one client that it has
    beside the demo's: confidential, by client_secret_basic, with PKCE, and asking no consent."""
    started: list[RunningProvider] = []

    def start(redirect_uri: str) -> SecondLatchkey:
        port = free_port()
        # By address: cookies know no ports, so on one name the two would sign each other out.
        issuer = f"http://{LOOPBACK}:{port}"

        def furnish(held: Provider) -> None:
            apply_demo(held, {**ADDRESSES, "issuer": issuer})
            setup.apply(held, _registration(redirect_uri), held.clock(), base_dir=folder)

        folder = tmp_path_factory.mktemp("second")
        started.append(start_provider(folder, furnish, issuer=issuer, port=port))
        return SecondLatchkey(issuer, CLIENT_ID, CLIENT_SECRET)

    yield start
    for running in started:
        running.stop()


def _registration(redirect_uri: str) -> setup.SetupFile:
    client = {
        "client_id": CLIENT_ID,
        "client_name": "The first Latchkey",
        "product": "lms",
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [redirect_uri],
        "first_party": True,
    }
    return setup.SetupFile.model_validate({"clients": [client]})
