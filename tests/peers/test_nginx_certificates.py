"""Behind a real nginx as docs/operate.md sets it up, clients prove themselves by certificates, and
whoever has none of theirs is nobody, whatever they write into their headers (RFC 8705)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.machine.provider_process import RunningProvider
from tests.peers.certificates import MTLS, PUBLIC, Certificate, Certificates
from tests.peers.conftest import Register
from tests.peers.nginx import Nginx, start_nginx
from tests.peers.registrations import Ports
from tests.peers.visitor import Visitor
from tests.world import DANA, claims_of

NOBODY = (401, "invalid_client")


@pytest.fixture(scope="module")
def nginx(provider: RunningProvider, ports: Ports, certificates: Certificates) -> Iterator[Nginx]:
    running = start_nginx(ports.nginx, provider.settings.port, certificates)
    yield running
    running.stop()


@pytest.fixture
def showing(oauth4webapi_as: Register, certificates: Certificates, nginx: Nginx) -> Any:
    """oauth4webapi as a client with a certificate, at the addresses that are made for it."""

    def made(client_id: str, method: str, shown: Certificate) -> Any:
        proxy = certificates.proxy.pem
        certificate = {"cert": shown.pem, "key": shown.key_pem, "ca": proxy}
        known = {"metadata": {"use_mtls_endpoint_aliases": True}, "certificate": certificate}
        return oauth4webapi_as(client_id, method=method, **known)

    return made


def asked(nginx: Nginx, client_id: str, **how: Any) -> tuple[int, Any]:
    form = {"client_id": client_id, "grant_type": "client_credentials"}
    status, told = nginx.ask("/token", form, **how)
    return status, told.get("error") if isinstance(told, dict) else told


def forged(certificate: Certificate) -> dict[str, str]:
    return {"XClientCert": quote(certificate.pem, safe=""), "XClientVerify": "SUCCESS"}


def test_a_client_is_the_one_that_a_trusted_authority_has_named(
    showing: Any, certificates: Certificates
) -> None:
    client = showing("peer-by-name", "tls_client_auth", certificates.of_authority)
    token = client.call("clientCredentials")["access_token"]
    assert claims_of(token)["client_id"] == "peer-by-name"
    assert client.call("introspect", token=token)["active"]
    client.call("revoke", token=token)
    assert not client.call("introspect", token=token)["active"]


def test_a_client_signs_a_person_in_by_tokens_that_are_bound_to_its_own_certificate(
    showing: Any, certificates: Certificates, nginx: Nginx, visitor: Visitor
) -> None:
    client = showing("peer-by-certificate", "self_signed_tls_client_auth", certificates.by_itself)
    tokens = client.sign_in(visitor, by="PAR")
    fresh = client.call("refresh", token=tokens["refresh_token"])
    token, subject = fresh["access_token"], fresh["claims"]["sub"]
    assert claims_of(token)["cnf"].keys() == {"x5t#S256"}
    assert client.call("userinfo", token=token, subject=subject)["email"] == DANA
    for how in (
        {},
        {"shown": certificates.of_authority},
        {"host": PUBLIC},
        forged(certificates.by_itself),
    ):
        stolen: dict[str, Any] = {"Authorization": f"Bearer {token}", **how}
        assert nginx.ask("/userinfo", **stolen)[0] == 401, how


@pytest.mark.parametrize(
    ("client_id", "shown"),
    [
        ("peer-by-name", None),
        ("peer-by-name", "of_nobody"),
        ("peer-by-name", "by_itself"),
        ("peer-by-certificate", None),
        ("peer-by-certificate", "of_authority"),
    ],
)
def test_whoever_shows_another_certificate_or_none_is_nobody(
    nginx: Nginx, certificates: Certificates, client_id: str, shown: str | None
) -> None:
    certificate = getattr(certificates, shown) if shown else None
    assert asked(nginx, client_id, shown=certificate) == NOBODY


def test_a_certificate_that_has_ended_comes_no_further_than_the_proxy(
    nginx: Nginx, certificates: Certificates
) -> None:
    assert asked(nginx, "peer-by-name", shown=certificates.over)[0] == 400


@pytest.mark.parametrize("host", [PUBLIC, MTLS])
@pytest.mark.parametrize("shown", [None, "of_nobody"])
def test_what_a_client_writes_into_the_headers_counts_for_nothing(
    nginx: Nginx,
    provider: RunningProvider,
    certificates: Certificates,
    host: str,
    shown: str | None,
) -> None:
    form = {"client_id": "peer-by-name", "grant_type": "client_credentials"}
    headers = forged(certificates.of_authority)
    past_the_proxy = requests.post(f"{provider.issuer}/token", form, headers=headers, timeout=10)
    assert past_the_proxy.status_code == 200
    certificate = getattr(certificates, shown) if shown else None
    others = {name.replace("XC", "X_C").replace("tC", "t_C"): headers[name] for name in headers}
    for written in (headers, {name.lower(): headers[name] for name in headers}, others):
        got = asked(nginx, "peer-by-name", host=host, shown=certificate, **written)
        assert got == NOBODY, written


def test_a_connection_to_one_host_asks_nothing_of_the_other(
    nginx: Nginx, certificates: Certificates
) -> None:
    right = certificates.of_authority
    assert asked(nginx, "peer-by-name", shown=right) == (200, None)
    assert asked(nginx, "peer-by-name", shown=right, host=PUBLIC) == NOBODY
    assert asked(nginx, "peer-by-name", shown=right, asked_for=PUBLIC) == NOBODY
    status, _ = asked(nginx, "peer-by-name", shown=right, host=PUBLIC, asked_for=MTLS)
    assert status == 421


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_no_tls_is_spoken_but_what_fapi_asks_for(nginx: Nginx) -> None:
    """FAPI 2.0 Security Profile 5.2.2: TLS 1.3, or 1.2 by the ciphers that RFC 9325 (4.2)
    recommends"""
    of_old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    of_old.set_ciphers("ALL:@SECLEVEL=0")
    older = {each["name"] for each in of_old.get_ciphers() if each["protocol"] != "TLSv1.3"}
    given = {nginx.cipher_for(ssl.TLSVersion.TLSv1_2, name) for name in older} - {None}
    assert given, "TLS 1.2 is spoken"
    assert given <= {
        f"ECDHE-{key}-AES{bits}"
        for key in ("ECDSA", "RSA")
        for bits in ("128-GCM-SHA256", "256-GCM-SHA384")
    }
    assert nginx.cipher_for(ssl.TLSVersion.TLSv1_1, "ALL") is None
    assert str(nginx.cipher_for(ssl.TLSVersion.TLSv1_3, "ALL")).startswith("TLS_AES_")
