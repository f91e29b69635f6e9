"""What every endpoint that clients call has in common: a form, and a client that proves itself."""

from __future__ import annotations

from functools import lru_cache

from idp import audit, possession, used_once
from idp.directory.clients import Client
from idp.endpoints.messages import FORM, Request
from idp.errors import ClientRefusal, OAuthRefusal
from idp.login import attempt as attempts
from idp.oidc import client_authentication, parameters
from idp.oidc.client_authentication import Authenticated
from idp.oidc.parameters import Malformed, Parameters
from idp.provider import Provider, catalog_with

AUDIT_WINDOW = 60.0
AUDITED_REFUSALS = 20
ADDRESSED_BY = {  # RFC 9126 section 2, RFC 8628 section 3.1, CIBA Core section 7.1
    path: (path, "/token") for path in ("/par", "/device_authorization", "/bc-authorize")
}


def form(request: Request) -> Parameters:
    """The body's parameters. Nothing may stand in the query, where it would end in logs."""
    if request.query:
        raise OAuthRefusal("invalid_request", "Parameters belong in the body.")
    if not request.is_form:
        raise OAuthRefusal("invalid_request", f"Content-Type must be {FORM}.")
    try:
        sent = parameters.parse(request.body.decode())
    except (Malformed, UnicodeDecodeError) as problem:
        raise OAuthRefusal(
            "invalid_request", "The form can't be read.", f"form: {problem}"
        ) from problem
    if sent.repeated:
        raise OAuthRefusal("invalid_request", "A parameter was sent more than once.")
    return sent


def check_fits(asked: dict[str, str], beside: str = "") -> None:
    """What is kept until a person comes, with what an attempt will have `beside` it."""
    if not attempts.fits(asked, beside):
        sentence = "The parameters together are larger than a sign-in keeps."
        raise OAuthRefusal("invalid_request", sentence)


def authenticated_client(provider: Provider, request: Request, sent: Parameters) -> Client:
    """Raises ClientRefusal; the audit hears why."""
    now = provider.clock()
    try:
        found = client_authentication.authenticate(
            sent,
            request.header("authorization"),
            lambda client_id: catalog_with(provider, client_id, now).clients.get(client_id),
            provider.client_keys,
            _audiences(provider.settings.issuer, provider.settings.mtls_url, request.path),
            possession.certificate_of(provider, request),
            now,
        )
        _spend_assertion(provider, found)
    except ClientRefusal as refusal:
        _record(provider, request, refusal, now)
        raise
    return found.client


@lru_cache(maxsize=64)
def _audiences(issuer: str, alias: str, path: str) -> tuple[str, ...]:
    """Our names, by which an assertion may be meant for us: also those by which clients with
    certificates know us (RFC 8705 section 5)."""
    paths = ADDRESSED_BY.get(path, (path,))
    return (issuer, *(origin + each for origin in (issuer, alias) if origin for each in paths))


def _record(provider: Provider, request: Request, refusal: ClientRefusal, now: float) -> None:
    """A few a minute of each client, and of each address that names none, so that nobody can fill
    the audit; the last row says that the log has the rest."""
    whose = refusal.client_id or f"of {request.origin.address}"
    number = provider.ephemeral.count(f"client refused {whose}", AUDIT_WINDOW, now)
    if number > AUDITED_REFUSALS:
        return
    reason = refusal.detail if number < AUDITED_REFUSALS else "more of this minute are in the log"
    with provider.database.transaction(durable=False) as db:
        audit.record(
            db, "client.refused", now, request.origin, client=refusal.client_id, reason=reason
        )


def confidential_client(provider: Provider, request: Request, sent: Parameters) -> Client:
    """For what a public client may not ask, since anybody can claim to be it."""
    client = authenticated_client(provider, request, sent)
    if client.is_public:
        raise ClientRefusal("a public client")
    return client


def check_may_use(client: Client, grant_type: str) -> None:
    if grant_type not in client.grant_types:
        raise OAuthRefusal("unauthorized_client", "The client may not use this grant type.")


def _spend_assertion(provider: Provider, found: Authenticated) -> None:
    if not found.assertion_name:
        return
    with provider.database.connection() as db:
        if not used_once.spend(db, found.assertion_name, found.expires_at, found.made_at):
            raise ClientRefusal("the assertion's jti was used before")
