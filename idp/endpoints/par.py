"""The pushed authorization request endpoint (RFC 9126 section 2)."""

from __future__ import annotations

from idp.endpoints.clients import authenticated_client, form
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.errors import OAuthRefusal, PageRefusal
from idp.login import attempt as attempts
from idp.oidc import pushed_request
from idp.oidc.authorization_request import PARAMETERS, RefusedRequest
from idp.oidc.parameters import Parameters
from idp.provider import Provider
from idp.situation import read_request


def push(provider: Provider, request: Request) -> Response:
    """Judged as if a browser had brought it, and told to the client. 201 with `request_uri` and
    `expires_in`."""
    sent = form(request)
    client = authenticated_client(provider, request, sent)
    if sent.get("request_uri"):
        raise OAuthRefusal("invalid_request", "request_uri can't be pushed (RFC 9126 section 2.1).")
    asked = {name: sent.values[name] for name in (*PARAMETERS, *NOT_READ) if name in sent.values}
    asked["client_id"] = client.client_id
    _check(provider, asked)
    lifetime = provider.settings.pushed_request_lifetime
    request_uri = pushed_request.keep(provider.ephemeral, asked, lifetime, provider.clock())
    answer = {"request_uri": request_uri, "expires_in": lifetime}
    return json_response(answer, 201, NO_STORE)


NOT_READ = ("request", "registration")


def _check(provider: Provider, asked: dict[str, str]) -> None:
    if not attempts.fits(asked):
        sentence = "The parameters together are larger than a sign-in keeps."
        raise OAuthRefusal("invalid_request", sentence)
    try:
        pushed = Parameters(asked, frozenset())
        read_request(provider, pushed, provider.clock(), is_pushed=True)
    except RefusedRequest as refusal:
        raise OAuthRefusal(refusal.code, refusal.public_message) from refusal
    except PageRefusal as refusal:
        sentence = "redirect_uri is not registered."
        raise OAuthRefusal("invalid_request", sentence, refusal.detail) from refusal
