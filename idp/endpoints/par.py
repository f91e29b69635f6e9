"""The pushed authorization request endpoint (RFC 9126 section 2)."""

from __future__ import annotations

from idp.directory.clients import Client
from idp.endpoints.clients import authenticated_client, check_fits, form
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.errors import OAuthRefusal, PageRefusal
from idp.login import attempt as attempts
from idp.oidc import pushed_request, request_object
from idp.oidc.authorization_request import NOT_SUPPORTED, PARAMETERS, Arrival
from idp.oidc.dpop import Proof
from idp.oidc.encrypted_responses import AUTHORIZATION, check_readable
from idp.oidc.parameters import Parameters
from idp.oidc.reply_to import RefusedRequest
from idp.possession import spend, verified_proof
from idp.provider import Provider
from idp.situation import read_request


def push(provider: Provider, request: Request) -> Response:
    """Judged as if a browser had brought it, and told to the client. 201 with `request_uri` and
    `expires_in`."""
    sent = form(request)
    proof = verified_proof(provider, request)
    client = authenticated_client(provider, request, sent)
    if sent.get("request_uri"):
        raise OAuthRefusal("invalid_request", "request_uri can't be pushed (RFC 9126 section 2.1).")
    arrival = _arrival(provider, sent, client, proof)
    asked = arrival.parameters.values
    _check(provider, arrival)
    lifetime = provider.settings.pushed_request_lifetime
    request_uri = pushed_request.keep(provider.ephemeral, asked, lifetime, provider.clock())
    answer = {"request_uri": request_uri, "expires_in": lifetime}
    return json_response(answer, 201, NO_STORE)


def _arrival(provider: Provider, sent: Parameters, client: Client, proof: Proof | None) -> Arrival:
    """Of a request object what it says, and nothing that stands beside it (RFC 9126 section 3), but
    for the key that the code is bound to. Raises RequestObjectRefusal."""
    token, issuer = sent.get("request"), provider.settings.issuer
    now, keys = provider.clock(), provider.client_keys
    signed = token and request_object.verify(token, client, keys, issuer, now)
    values = (signed or sent).values
    asked = {n: values[n] for n in (*PARAMETERS, *NOT_SUPPORTED) if n in values}
    asked["client_id"] = client.client_id
    if proof is not None:
        asked["dpop_jkt"] = _key_of(provider, client, proof, asked.get("dpop_jkt"))
    return Arrival(Parameters(asked, frozenset()), is_pushed=True, is_signed=bool(signed))


def _key_of(provider: Provider, client: Client, proof: Proof, claimed_jkt: str | None) -> str:
    """What the code will be bound to (RFC 9449 section 10.1)."""
    if claimed_jkt not in (None, "", proof.jkt):
        raise OAuthRefusal("invalid_request", "dpop_jkt is not the key of the DPoP proof.")
    spend(provider, client, proof)
    return proof.jkt


def _check(provider: Provider, arrival: Arrival) -> None:
    kept = {**arrival.parameters.values, attempts.PUSHED_AS: pushed_request.key_of("", "")}
    check_fits(kept)
    now = provider.clock()
    try:
        parsed = read_request(provider, arrival, now)
    except RefusedRequest as refusal:
        raise OAuthRefusal(refusal.code, refusal.public_message) from refusal
    except PageRefusal as refusal:
        sentence = "redirect_uri is not registered."
        raise OAuthRefusal("invalid_request", sentence, refusal.detail) from refusal
    if parsed.reply_to.is_signed:
        check_readable(parsed.client, provider.client_keys, AUTHORIZATION, now)
