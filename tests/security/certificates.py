"""Certificates that clients connect with, and the headers in which a proxy tells of them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from tests.security.browsing import reopened
from tests.security.protocol import CODE_AND_REFRESH, EVERY_SCOPE, Party

if TYPE_CHECKING:
    from tests.world import World

CERTIFICATE, VERIFY = "XClientCert", "XClientVerify"
SUBJECT = "CN=reports,O=Northwind  Lending,C=US"


def certificate(subject: str = SUBJECT, *alternatives: x509.GeneralName) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name, start = x509.Name.from_rfc4514_string(subject), datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.public_key(key.public_key())
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=9))
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256())


OWN = certificate(
    SUBJECT,
    x509.DNSName("reports.northwind.example"),
    x509.UniformResourceIdentifier("spiffe://northwind/reports"),
    x509.IPAddress(ip_address("2001:db8::1")),
    x509.RFC822Name("reports@northwind.example"),
)
STRANGE = certificate("CN=stranger")


def der_of(which: x509.Certificate) -> bytes:
    return which.public_bytes(Encoding.DER)


def shown(which: x509.Certificate = OWN, verified: str = "SUCCESS") -> dict[str, str]:
    """As nginx writes it."""
    pem = which.public_bytes(Encoding.PEM).decode()
    return {CERTIFICATE: quote(pem, safe=""), VERIFY: verified}


def structured(which: x509.Certificate = OWN, verified: str = "SUCCESS") -> dict[str, str]:
    """As RFC 9440 writes it."""
    return {CERTIFICATE: f":{base64.b64encode(der_of(which)).decode()}:", VERIFY: verified}


def behind_tls(world: World, **changed: Any) -> World:
    """The same provider, where a proxy tells of certificates."""
    told = {
        "trusted_proxies": "127.0.0.1",
        "client_certificate_header": CERTIFICATE,
        "client_certificate_verified_header": VERIFY,
        "mtls_url": "https://mtls.id.example",
        **changed,
    }
    return reopened(world, replace(world.settings, **told))


def by_authority(client_id: str, **names: str) -> Party:
    return Party(client_id, "tls_client_auth", {**MACHINE, **names})


def key_with(*certificates: x509.Certificate) -> dict[str, Any]:
    chain = [base64.b64encode(der_of(each)).decode() for each in certificates]
    public = ECKey.import_key(certificates[0].public_key()).as_dict(private=False)  # type: ignore[arg-type]
    return {**public, "x5c": chain}


MACHINE = {"grant_types": ["client_credentials"], "scope": "loans.read"}
BOUND = "tls_client_certificate_bound_access_tokens"
NAMED = by_authority("named", tls_client_auth_subject_dn="cn=Reports, o=northwind lending, C=us")
ITSELF = Party(
    "itself",
    "self_signed_tls_client_auth",
    {**MACHINE, "jwks": {"keys": [key_with(OWN, STRANGE)]}, BOUND: True},
)
PEOPLE = {"grant_types": CODE_AND_REFRESH, "scope": EVERY_SCOPE, "first_party": True, BOUND: True}
APP = Party("bound-app", "none", {**PEOPLE, "redirect_uris": ["https://bound-app.example/cb"]})
SERVER = Party(
    "bound-server", form={**PEOPLE, "redirect_uris": ["https://bound-server.example/cb"]}
)
