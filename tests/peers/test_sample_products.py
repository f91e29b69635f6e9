"""LMS, Secure Payments, Connections: one sign-in opens all three, one sign-out ends all three."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.registrations import Ports
from tests.peers.sample_products import running_products
from tests.peers.visitor import Place, Visitor
from tests.world import BEN, DANA, PASSWORD

SECONDS_TO_BE_TOLD = 30.0


@pytest.fixture(scope="module")
def addresses(
    provider: RunningProvider, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    log = tmp_path_factory.mktemp("products") / "log"
    secrets_dir = provider.settings.keys_dir / "clients"
    with running_products(provider.issuer, secrets_dir, ports.products, log):
        yield ports.addresses


def is_signed_in(page: Place) -> bool:
    """A product's page has a menu to sign out in, and its landing page has not."""
    return any("form_token" in form.names for form in page.forms)


def visited(page: Place) -> list[str]:
    return [urlsplit(address).path for address in page.trail]


def eventually_signed_out(visitor: Visitor, address: str) -> Place:
    deadline = time.monotonic() + SECONDS_TO_BE_TOLD
    while is_signed_in(page := visitor.open(address)):
        assert time.monotonic() < deadline, f"{address} was never told"
    return page


@pytest.fixture
def signed_in_at_lms(addresses: dict[str, str], visitor: Visitor) -> Place:
    asked = visitor.open(f"{addresses['lms']}/login")
    return visitor.sign_in(asked, DANA, PASSWORD)


def test_a_person_signs_in_at_one_product(addresses, visitor, provider):
    asked = visitor.open(f"{addresses['lms']}/login?target_link_uri=/loans")
    assert asked.url.startswith(f"{provider.issuer}/login/password")
    page = visitor.sign_in(asked, DANA, PASSWORD)
    assert page.url == f"{addresses['lms']}/loans"
    assert is_signed_in(page)


@pytest.mark.parametrize("product", ["payments", "connections"])
def test_a_person_signed_in_opens_the_others_without_being_asked(
    addresses, visitor, signed_in_at_lms, product
):
    page = visitor.open(addresses[product])
    assert page.url == f"{addresses[product]}/"
    assert is_signed_in(page)
    assert visited(page) == ["", "/authorize", "/callback", "/"]


def test_a_stranger_sees_the_landing_page_after_a_silent_try(addresses, visitor):
    page = visitor.open(addresses["payments"])
    assert page.status == 200
    assert "/authorize" in visited(page)
    assert not is_signed_in(page)


def test_one_sign_out_ends_the_session_in_every_product(addresses, visitor, signed_in_at_lms):
    pages = {key: visitor.open(address) for key, address in addresses.items()}
    assert all(map(is_signed_in, pages.values()))
    form = pages["payments"].form_with("form_token")
    goodbye = visitor.submit(pages["payments"], form_token=form.fields["form_token"])
    assert goodbye.url.startswith(f"{addresses['payments']}/signed-out")
    for address in addresses.values():
        assert eventually_signed_out(visitor, address).status == 200
    asked = visitor.open(f"{addresses['lms']}/login")
    assert asked.form_with("email", "password")


def test_a_person_without_the_role_is_told_so_and_sent_back(addresses, visitor, provider):
    asked = visitor.open(f"{addresses['payments']}/login")
    refused = visitor.sign_in(asked, BEN, PASSWORD)
    assert (refused.status, urlsplit(refused.url).path) == (403, "/login/not_open")
    page = visitor.submit(refused, decision="back")
    assert page.url.startswith(f"{addresses['payments']}/callback")
    assert not is_signed_in(page)
    assert is_signed_in(visitor.open(addresses["lms"]))
