"""Proof of possession: whoever asks for a bound token, or brings one, shows that they hold the key
(RFC 9449). Each proof is used once: one conditional write, which outlives a restart."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from idp import used_once
from idp.directory.clients import Client
from idp.errors import BearerRefusal, OAuthRefusal
from idp.oidc import dpop
from idp.oidc.confirmation import Confirmation, confirmation_of
from idp.oidc.dpop import BAD_PROOF, Proof
from idp.provider import Provider


class Sender(NamedTuple):
    """How a request came: its method, its path, and its `DPoP` header, empty if there is none."""

    method: str
    path: str
    proof: str


def verified_proof(provider: Provider, sender: Sender, ath: str | None = None) -> Proof | None:
    """None where none was sent. Raises OAuthRefusal; nothing is spent yet."""
    if not sender.proof:
        return None
    return dpop.verify_proof(
        sender.proof,
        provider.secret_keys,
        provider.clock(),
        expected_htm=sender.method,
        expected_htu=provider.settings.issuer + quote(sender.path),
        expected_ath=ath,
    )


def dpop_nonce(provider: Provider) -> tuple[str, str]:
    """The header that every answer to a proof has (RFC 9449 section 8.2)."""
    return "DPoP-Nonce", dpop.nonce(provider.secret_keys, provider.clock())


def spend(provider: Provider, proof: Proof) -> None:
    """Raises OAuthRefusal for all but the first of those who bring it."""
    with provider.database.connection(durable=False) as db:
        if not used_once.spend(db, proof.name, proof.expires_at):
            raise OAuthRefusal(BAD_PROOF, "The DPoP proof was used before.")


def bound_to(provider: Provider, client: Client, proof: Proof | None) -> Confirmation:
    """What the client's new tokens will be bound to, with its proof spent. Raises OAuthRefusal for
    a client that is registered for bound tokens alone and has shown no key (section 5.2)."""
    if proof is None:
        if client.dpop_bound_access_tokens:
            raise OAuthRefusal(BAD_PROOF, "This client has to send a DPoP proof.")
        return Confirmation()
    spend(provider, proof)
    return Confirmation(jkt=proof.jkt)


def check_brought(
    provider: Provider, sender: Sender, token: str, claims: dict[str, object], scheme: str
) -> None:
    """A bound token comes with a proof and as what it is, and no other does (section 7.1). `scheme`
    is that of the Authorization header, in small letters. Raises BearerRefusal."""
    bound = confirmation_of(claims)
    if (scheme == "dpop") != bool(bound.jkt):
        raise BearerRefusal("invalid_token", "The token is not of that type.", f"as {scheme}")
    if bound.jkt is None:
        return
    try:
        proof = verified_proof(provider, sender, dpop.hash_of(token))
        if proof is None:
            raise OAuthRefusal(BAD_PROOF, "A DPoP proof is needed.")
        if proof.jkt != bound.jkt:
            raise OAuthRefusal("invalid_token", "The token is bound to another key.")
        spend(provider, proof)
    except OAuthRefusal as refusal:
        raise BearerRefusal(refusal.code, refusal.public_message, refusal.detail) from refusal
