"""Proof of possession: whoever asks for a bound token, or brings one, shows that they hold the key
by a proof (DPoP, RFC 9449), or by the certificate of their connection (RFC 8705). Each proof is
used once: one conditional write, which outlives a restart."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import quote

from idp import used_once
from idp.directory.clients import Client
from idp.errors import BearerRefusal, OAuthRefusal
from idp.oidc import dpop, fapi
from idp.oidc.client_certificate import ClientCertificate, read_certificate
from idp.oidc.confirmation import UNBOUND, Confirmation, confirmation_of
from idp.oidc.dpop import BAD_PROOF, Proof
from idp.provider import Provider


class Sender(Protocol):
    """How a request came."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    def header(self, name: str) -> str:
        """Empty if there is none."""


def certificate_of(provider: Provider, sender: Sender) -> ClientCertificate | None:
    """Of the client's connection, where a proxy of ours tells of it."""
    settings = provider.settings
    if not settings.client_certificate_header:
        return None
    shown = sender.header(settings.client_certificate_header.lower())
    verified = settings.client_certificate_verified_header.lower()
    return read_certificate(shown, sender.header(verified)) if shown else None


def verified_proof(provider: Provider, sender: Sender, ath: str | None = None) -> Proof | None:
    """None where none was sent. Raises OAuthRefusal; nothing is spent yet."""
    claimed = sender.header("dpop")
    if not claimed:
        return None
    settings = provider.settings
    origins = (settings.issuer, settings.mtls_url) if settings.mtls_url else (settings.issuer,)
    return dpop.verify_proof(
        claimed,
        provider.secret_keys,
        provider.clock(),
        expected_htm=sender.method,
        expected_htu=[origin + quote(sender.path) for origin in origins],
        expected_ath=ath,
    )


def dpop_nonce(provider: Provider) -> tuple[str, str]:
    """The header that every answer to a proof has (RFC 9449 section 8.2)."""
    return "DPoP-Nonce", dpop.nonce(provider.secret_keys, provider.clock())


def spend(provider: Provider, client: Client | None, proof: Proof) -> None:
    """Raises OAuthRefusal for all but the first of those who bring it, and for one by an algorithm
    that the client's profile does not have."""
    if client and not fapi.may_sign(client.profile, proof.alg):
        raise OAuthRefusal(BAD_PROOF, f"The client's profile does not have {proof.alg}.")
    with provider.database.connection(durable=False) as db:
        if not used_once.spend(db, proof.name, proof.expires_at, proof.made_at):
            raise OAuthRefusal(BAD_PROOF, "The DPoP proof was used before.")


def bound_to(
    provider: Provider, sender: Sender, client: Client, proof: Proof | None
) -> Confirmation:
    """What the client's new tokens will be bound to, with its proof spent. Raises OAuthRefusal for
    a client that is registered for bound tokens alone and has shown no key (RFC 9449 section 5.2),
    or no certificate (RFC 8705 section 3.4)."""
    if proof is None and client.dpop_bound_access_tokens:
        raise OAuthRefusal("invalid_request", "This client has to send a DPoP proof.")
    certificate = None
    if client.tls_client_certificate_bound_access_tokens:
        certificate = certificate_of(provider, sender)
        if certificate is None:
            raise OAuthRefusal("invalid_request", "This client has to show its certificate.")
    if proof is None and certificate is None:
        return UNBOUND
    if proof is not None:
        spend(provider, client, proof)
    return Confirmation(proof and proof.jkt, certificate and certificate.thumbprint)


def check_brought(
    provider: Provider, sender: Sender, token: str, claims: dict[str, object], scheme: str
) -> None:
    """A bound token comes with a proof and as what it is, and no other does (section 7.1). `scheme`
    is that of the Authorization header, in small letters. Raises BearerRefusal."""
    bound = confirmation_of(claims)
    if (scheme == "dpop") != bool(bound.jkt):
        raise BearerRefusal("invalid_token", "The token is not of that type.", f"as {scheme}")
    if bound.x5t is not None:
        certificate = certificate_of(provider, sender)
        if certificate is None or certificate.thumbprint != bound.x5t:
            sentence = "The token is bound to another certificate."
            raise BearerRefusal("invalid_token", sentence)
    if bound.jkt is None:
        return
    try:
        proof = verified_proof(provider, sender, dpop.hash_of(token))
        if proof is None:
            raise OAuthRefusal(BAD_PROOF, "A DPoP proof is needed.")
        if proof.jkt != bound.jkt:
            raise OAuthRefusal("invalid_token", "The token is bound to another key.")
        spend(provider, _client_of(provider, claims), proof)
    except OAuthRefusal as refusal:
        raise BearerRefusal(refusal.code, refusal.public_message, refusal.detail) from refusal


def _client_of(provider: Provider, claims: dict[str, object]) -> Client | None:
    clients = provider.catalog.current(provider.clock()).clients
    return clients.get(str(claims.get("client_id")))
