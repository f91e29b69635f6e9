"""Certificates of clients and of a proxy, and the authority that some of them are of."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        how = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.key.private_bytes(*how).decode()

    @property
    def subject(self) -> str:
        return self.certificate.subject.rfc4514_string()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, with the certificate as its `x5c`."""
        der = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        public = ECKey.import_key(self.key.public_key())
        return {**public.as_dict(private=False), "x5c": [der]}


def certificate(
    name: str,
    *hosts: str,
    by: Certificate | None = None,
    ends_in: timedelta = DAY,
) -> Certificate:
    """For that common name, signed `by` somebody or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, issuer_key = (by.certificate.subject, by.key) if by else (_named(name), key)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_named(name)).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - 2 * DAY).not_valid_after(now + ends_in)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    if hosts:
        builder = builder.add_extension(names, critical=False)
    constraints = x509.BasicConstraints(ca=not hosts and by is None, path_length=None)
    builder = builder.add_extension(constraints, critical=True)
    return Certificate(builder.sign(issuer_key, hashes.SHA256()), key)


def _named(name: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(f"CN={name},O=Latchkey's peers")


@dataclass(frozen=True)
class Certificates:
    """`authority` is the one that the proxy trusts for clients; `over` has ended."""

    authority: Certificate
    proxy: Certificate
    of_authority: Certificate
    over: Certificate
    by_itself: Certificate
    of_nobody: Certificate


PUBLIC, MTLS = "id.example", "mtls.id.example"
REPORTS = "reports"


def new_certificates() -> Certificates:
    authority = certificate("An authority of partners")
    return Certificates(
        authority=authority,
        proxy=certificate("A proxy", PUBLIC, MTLS),
        of_authority=certificate(REPORTS, by=authority),
        over=certificate(REPORTS, by=authority, ends_in=-DAY),
        by_itself=certificate("itself"),
        of_nobody=certificate(REPORTS, by=certificate("An authority of nobody's")),
    )
