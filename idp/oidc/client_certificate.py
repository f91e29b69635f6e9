"""The certificate that a client's connection was made with (RFC 8705), as the proxy in front tells
it: in a header of RFC 9440, or as PEM that is escaped like part of an address.

Whether that header is believed is decided before: it is taken from proxies of ours alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.directory.clients import Client
from idp.errors import ClientRefusal
from idp.oidc.jwks_uri import ClientKeys, NoKeys
from idp.secret_values import encode

BY_AUTHORITY = "tls_client_auth"
BY_ITSELF = "self_signed_tls_client_auth"
METHODS = (BY_AUTHORITY, BY_ITSELF)
VERIFIED = "SUCCESS"  # as nginx and Apache say it
NAMES = {"EMAILADDRESS": NameOID.EMAIL_ADDRESS, "E": NameOID.EMAIL_ADDRESS}

# What a certificate raises that is made in another way than we know: some of it is read late.
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
_ATTRIBUTE = re.compile(r"(^|(?<!\\)[,+])\s*([A-Za-z]+)\s*=")

DistinguishedName = list[frozenset[tuple[str, str]]]


class ClientCertificate(NamedTuple):
    """`is_verified` where the proxy has checked its chain up to an authority that it trusts."""

    der: bytes
    is_verified: bool

    @property
    def thumbprint(self) -> str:
        """`x5t#S256` (section 3.1)."""
        return encode(sha256(self.der).digest())


def read_certificate(header: str, verified: str) -> ClientCertificate | None:
    """None where there is none, or what can't be read: the client has shown nothing then."""
    try:
        structured = header.startswith(":") and header.endswith(":")  # RFC 9440 section 2.1
        der = _der(header[1:-1]) if structured else _from_pem(header)
    except _UNREADABLE:
        return None
    return ClientCertificate(der, verified == VERIFIED)


def _from_pem(header: str) -> bytes:
    return x509.load_pem_x509_certificate(unquote(header).encode()).public_bytes(Encoding.DER)


def check_certificate(
    client: Client, keys: ClientKeys, certificate: ClientCertificate | None, now: float
) -> None:
    """By the method that the client registered. Raises ClientRefusal."""
    if certificate is None:
        raise ClientRefusal("no client certificate came from a proxy that is believed")
    if client.token_endpoint_auth_method == BY_ITSELF:
        _check_published(client, keys, certificate, now)
        return
    if not certificate.is_verified:
        raise ClientRefusal("no proxy has checked the certificate's chain")
    try:
        is_named = _is_named(client, x509.load_der_x509_certificate(certificate.der))
    except _UNREADABLE as problem:
        raise ClientRefusal(f"the certificate can't be read: {problem!a}") from problem
    if not is_named:
        raise ClientRefusal("the certificate is for another name than the registered one")


def _check_published(
    client: Client, keys: ClientKeys, certificate: ClientCertificate, now: float
) -> None:
    def check(jwks: Mapping[str, Any]) -> None:
        if certificate.der not in certificates_in(jwks):
            raise ClientRefusal("the certificate is none of those in its jwks")

    try:
        keys.used(client, check, ClientRefusal, now)
    except NoKeys as problem:
        raise ClientRefusal(str(problem)) from problem


def certificates_in(jwks: Mapping[str, Any] | None) -> list[bytes]:
    """Of each key the first of its `x5c` (RFC 7517 section 4.7); what can't be read is none."""
    found = []
    for key in (jwks or {}).get("keys", ()):
        try:
            found.append(_der(key["x5c"][0]))
        except (LookupError, *_UNREADABLE):
            continue
    return found


def _der(encoded: str) -> bytes:
    raw = base64.b64decode(encoded, validate=True)
    return x509.load_der_x509_certificate(raw).public_bytes(Encoding.DER)


def _is_named(client: Client, certificate: x509.Certificate) -> bool:
    """By the one name that is registered (section 2.1.2); nothing is read into wildcards."""
    if client.tls_client_auth_subject_dn:
        return distinguished(client.tls_client_auth_subject_dn) == _normal(certificate.subject)
    for registered, kind, normal in (
        (client.tls_client_auth_san_dns, x509.DNSName, str.casefold),
        (client.tls_client_auth_san_uri, x509.UniformResourceIdentifier, str),
        (client.tls_client_auth_san_ip, x509.IPAddress, _address),
        (client.tls_client_auth_san_email, x509.RFC822Name, str.casefold),
    ):
        if registered:
            return normal(registered) in _alternatives(certificate, kind, normal)
    return False


def _address(text: object) -> str:
    return str(ip_address(str(text)))


def _alternatives(
    certificate: x509.Certificate, kind: Any, normal: Callable[..., str]
) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [normal(value) for value in extension.value.get_values_for_type(kind)]


def distinguished(text: str) -> DistinguishedName:
    """A name as RFC 4514 writes it, or as people do: with spaces, in small letters. Raises
    ValueError."""
    tidied = _ATTRIBUTE.sub(lambda found: f"{found[1]}{found[2].upper()}=", text)
    return _normal(x509.Name.from_rfc4514_string(tidied, NAMES))


def _normal(name: x509.Name) -> DistinguishedName:
    """As distinguished names are compared (RFC 5280 section 7.1): whatever the case and the
    spaces."""
    return [
        frozenset(
            (each.oid.dotted_string, " ".join(str(each.value).casefold().split())) for each in part
        )
        for part in name.rdns
    ]
