"""One provider for all of other people's clients, and somebody to sign in with them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from idp import setup, tenancy
from idp.provider import Provider
from idp.registration import initial_tokens
from idp.registration.initial_tokens import InitialTokenForm
from idp.secret_values import new_id
from tests.machine.processes import LOOPBACK
from tests.machine.provider_process import RunningProvider, start_provider
from tests.peers.certificates import MTLS, Certificates, new_certificates
from tests.peers.node_process import NodeProcess
from tests.peers.registrations import Ports, new_client_keys, registrations
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import apply_demo

Register = Callable[..., RelyingParty]


@pytest.fixture(scope="session")
def ports() -> Ports:
    return Ports()


@pytest.fixture(scope="session")
def client_keys() -> dict[str, dict[str, Any]]:
    return new_client_keys()


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return new_certificates()


@pytest.fixture(scope="session")
def provider(
    tmp_path_factory: pytest.TempPathFactory,
    ports: Ports,
    client_keys: dict[str, dict[str, Any]],
    certificates: Certificates,
) -> Iterator[RunningProvider]:
    """With the demo's companies and people, every peer as a client, and sign-outs delivered."""

    def furnish(held: Provider) -> None:
        apply_demo(held, {"issuer": held.settings.issuer, **ports.addresses})
        described_clients = registrations(ports, client_keys, certificates)
        described = setup.SetupFile.model_validate({"clients": described_clients})
        setup.apply(held, described, held.clock(), base_dir=folder)

    folder = tmp_path_factory.mktemp("provider")
    behind: dict[str, Any] = {
        "trusted_proxies": LOOPBACK,
        "client_certificate_header": "XClientCert",
        "client_certificate_verified_header": "XClientVerify",
        "mtls_url": f"https://{MTLS}:{ports.nginx}",
    }
    running = start_provider(folder, furnish, outbox_workers=1, **behind)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def new_initial_token(provider: RunningProvider) -> Callable[[str], str]:
    """For one client whose addresses are at that host."""
    held = provider.held

    def made(host: str) -> str:
        form = {"name": f"peers-{new_id()}", "product": "lms", "redirect_hosts": [host]}
        with tenancy.every_tenant(held.database) as session:
            described = InitialTokenForm.model_validate(form)
            return initial_tokens.make(session, described, held.clock())

    return made


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    somebody = Visitor()
    yield somebody
    somebody.close()


@pytest.fixture(scope="session")
def openid_client() -> Iterator[NodeProcess]:
    script = NodeProcess("openid_client.js")
    yield script
    script.stop()


@pytest.fixture(scope="session")
def oauth4webapi() -> Iterator[NodeProcess]:
    script = NodeProcess("oauth4webapi.js")
    yield script
    script.stop()


@pytest.fixture
def oauth4webapi_as(oauth4webapi: NodeProcess, provider: RunningProvider) -> Register:
    def known_as(client_id: str, **known: Any) -> RelyingParty:
        return RelyingParty(oauth4webapi, provider.issuer, client_id, **known)

    return known_as
