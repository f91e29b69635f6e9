"""How an authorization request arrives: as it stands, pushed, or signed by its client."""

from __future__ import annotations

from idp import outgoing
from idp.directory.clients import Client
from idp.errors import PageRefusal, Refusal, told
from idp.oidc import pushed_request, request_object
from idp.oidc.authorization_request import Arrival
from idp.oidc.parameters import MAX_TOKEN, Parameters
from idp.oidc.reply_to import RefusedRequest, find_named_reply_to, get_client
from idp.oidc.request_object import RequestObjectRefusal
from idp.outgoing import Unreachable
from idp.provider import Provider, catalog_with
from idp.turns import NoTurn, clients_of

ACCEPTED = {"Accept": "application/oauth-authz-req+jwt, application/jwt"}
UNSOUND = told("The product asked for this sign-in in a way that we can't check.")


def is_handed_over(sent: Parameters) -> bool:
    """Whether what the client asks does not stand in the parameters themselves."""
    return bool(sent.get("request") or sent.get("request_uri"))


def arrived(provider: Provider, sent: Parameters, now: float) -> Arrival:
    """Raises PageRefusal, or RefusedRequest."""
    request_uri = sent.get("request_uri") or ""
    if pushed_request.is_one(request_uri):
        key = pushed_request.key_of(request_uri, sent.get("client_id") or "")
        pushed = pushed_request.read(provider.ephemeral, key, now)
        return Arrival(pushed, is_pushed=True, is_signed=True, pushed_as=key)
    token = sent.get("request")
    if token is None and not (request_uri and provider.settings.fetch_request_uris):
        return Arrival(sent)
    client = get_client(sent, catalog_with(provider, sent.get("client_id") or "", now))
    try:
        if token and request_uri:
            sentence = "request and request_uri exclude each other."
            raise RequestObjectRefusal(sentence, code="invalid_request")
        token = token or _fetched(provider, client, request_uri)
        opened = request_object.verify(
            *(token, client, provider.client_keys), provider.settings.issuer, now
        )
    except RequestObjectRefusal as refusal:
        raise _where_it_is_told(refusal, sent, client) from refusal
    return Arrival(opened, is_signed=True)


def _fetched(provider: Provider, client: Client, request_uri: str) -> str:
    """From an address that the client has registered, anew each time, so that a fragment, which
    tells versions apart, has nothing to say (OpenID Connect Core section 6.2). Raises
    RequestObjectRefusal."""
    address = request_uri.partition("#")[0]
    if address not in {each.partition("#")[0] for each in client.request_uris}:
        sentence = "request_uri is none that the client has registered."
        raise RequestObjectRefusal(sentence, code=pushed_request.CODE)
    try:
        with provider.turns.wait_for(*clients_of(client.product_key)):
            networks = provider.settings.reachable_networks
            return outgoing.fetched(address, networks, ACCEPTED, MAX_TOKEN).decode("ascii").strip()
    except (NoTurn, Unreachable, UnicodeDecodeError) as problem:
        sentence = "Nothing could be fetched from request_uri that is a JWT."
        raise RequestObjectRefusal(sentence, str(problem), pushed_request.CODE) from problem


def _where_it_is_told(refusal: RequestObjectRefusal, sent: Parameters, client: Client) -> Refusal:
    """Where an object is at fault, nothing in it says where to send anybody: the client hears of it
    at the address that stands beside it, and else the person does."""
    reply_to = find_named_reply_to(sent, client)
    if reply_to is None:
        return PageRefusal(refusal.code, UNSOUND, f"{client.client_id}: {refusal.detail}")
    return RefusedRequest(refusal.code, refusal.public_message, reply_to)
