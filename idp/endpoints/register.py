"""The client registration endpoint (RFC 7591 section 3), and the configuration endpoint of a client
that registered itself (RFC 7592 section 2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from idp import audit, limits, outgoing, tenancy
from idp.database import Connection
from idp.directory import catalog_version, clients, registrations
from idp.directory.clients import Client
from idp.directory.registrations import ClientRegistration, Terms
from idp.endpoints.bearer import claimed_token
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.errors import BearerRefusal, MetadataRefusal, OAuthRefusal
from idp.oidc import sector_identifier
from idp.oidc.client_metadata import CLIENT_ID
from idp.oidc.software_statement import verify_statement
from idp.outgoing import Unreachable
from idp.provider import Provider
from idp.registration import dynamic_clients
from idp.registration.changes import fields_of
from idp.registration.client_form import ClientForm
from idp.registration.dynamic_clients import Registered
from idp.secret_values import fingerprint
from idp.turns import REGISTRATIONS, NoTurn

CONFIGURATION = "/register/"
HOUR = 3600.0
TRIES_AN_HOUR = 120  # of one initial access token, good or not
CHANGES_AN_HOUR = 30  # of one client: each makes every process read all clients anew
OPEN_TRIES_AN_HOUR = 20  # from one address, where nobody has to bring a token


class _Asked(NamedTuple):
    form: ClientForm
    statement: str | None


class _Own(NamedTuple):
    """A client that registered itself, found by its own registration access token."""

    client: Client
    registration: ClientRegistration
    access_token: str


def register(provider: Provider, request: Request) -> Response:
    """201 with all that was registered, and with what is told this once."""
    now = provider.clock()
    terms = _terms(provider, request, now)
    _count(provider, f"register {terms.initial_token}", TRIES_AN_HOUR, now)
    asked = _asked(provider, _object(request), terms, dynamic_clients.new_client_id(), None)
    with _all_or_nothing(provider) as (rows, db):
        if not registrations.spend(db, terms.initial_token, now):
            raise _unknown_token()
        added = dynamic_clients.add(rows, asked.form, terms, asked.statement, now)
        _record(db, request, "client.self_registered", added, now)
        told = dynamic_clients.told(added, provider.settings.issuer)
    return json_response(told, 201, NO_STORE)


def configure(provider: Provider, request: Request) -> Response:
    """What is registered is read, replaced or deleted, by the token that came with it."""
    return CONFIGURE[request.method](provider, request)


def _read(provider: Provider, request: Request) -> Response:
    with tenancy.every_tenant(provider.database, read_only=True) as rows:
        own = _own(rows, Connection.of(provider.database, rows), request)
        found = Registered(own.client, own.registration, [], own.access_token, None)
        return json_response(dynamic_clients.told(found, provider.settings.issuer), 200, NO_STORE)


def _replace(provider: Provider, request: Request) -> Response:
    now = provider.clock()
    claimed = _object(request)
    with tenancy.every_tenant(provider.database, read_only=True) as rows:
        own = _own(rows, Connection.of(provider.database, rows), request)
        dynamic_clients.check_sent_back(claimed, own.client, now)
        client_id, before = own.client.client_id, own.registration
        held = before.software_statement
        terms = Terms(before.initial_token, own.client.product_key, before.policy)
    _count(provider, f"registration {client_id}", CHANGES_AN_HOUR, now)
    asked = _asked(provider, claimed, terms, client_id, held)
    with _all_or_nothing(provider) as (rows, db):
        own = _own(rows, db, request)
        changed = dynamic_clients.replace(
            rows, own.registration, asked.form, asked.statement, own.access_token, now
        )
        if changed.changes:
            _record(db, request, "client.self_changed", changed, now)
        told = dynamic_clients.told(changed, provider.settings.issuer)
    return json_response(told, 200, NO_STORE)


def _delete(provider: Provider, request: Request) -> Response:
    """With its grants and consents; what it has of tokens is refused from now on."""
    now = provider.clock()
    with _all_or_nothing(provider) as (rows, db):
        own = _own(rows, db, request)
        registered = Registered(own.client, own.registration, [], own.access_token, None)
        _record(db, request, "client.self_deleted", registered, now)
        rows.delete(own.registration)
        rows.flush()
        rows.delete(own.client)
    return Response(204, NO_STORE)


CONFIGURE = {"GET": _read, "PUT": _replace, "DELETE": _delete}


def _terms(provider: Provider, request: Request, now: float) -> Terms:
    """By the initial access token that was brought; without any, by the one that the operator has
    opened to everybody."""
    token, opened = _token(request), provider.settings.open_registration
    if not token and not opened:
        raise BearerRefusal("", "An initial access token is needed.")
    if not token:
        _count(provider, f"register from {request.origin.address}", OPEN_TRIES_AN_HOUR, now)
    with provider.database.connection() as db:
        if token:
            terms = registrations.find_terms(db, fingerprint(token), now)
        else:
            terms = registrations.find_terms_by_name(db, opened, now)
    if terms is None:
        raise _unknown_token()
    return terms


def _own(rows: Session, db: Connection, request: Request) -> _Own:
    """Raises BearerRefusal, the same for a token that is wrong and a client that is gone (RFC 7592
    section 2.1), and 403 where an operator has disabled it."""
    client_id, token = request.path.removeprefix(CONFIGURATION), _token(request)
    if not token:
        raise BearerRefusal("", "The registration access token is needed.")
    is_name = re.fullmatch(CLIENT_ID, client_id)
    status = is_name and registrations.find_status(db, client_id, fingerprint(token))
    if not status:
        raise _unknown_token()
    if status != clients.ACTIVE:
        raise OAuthRefusal("access_denied", "The client is disabled.", client_id, 403)
    found = rows.get_one(Client, client_id), rows.get_one(ClientRegistration, client_id)
    return _Own(*found, token)


def _token(request: Request) -> str:
    scheme, token = claimed_token(request)
    if scheme != "bearer":
        raise _unknown_token()
    return token


def _unknown_token() -> BearerRefusal:
    return BearerRefusal("invalid_token", "The token is not valid.")


def _count(provider: Provider, key: str, most: int, now: float) -> None:
    with provider.database.transaction() as db:
        if not limits.take(db, key, now, most, HOUR):
            sentence = "That was too often. Try again later."
            raise OAuthRefusal("temporarily_unavailable", sentence, key, 429)


def _object(request: Request) -> dict[str, Any]:
    """A JSON object that has one meaning."""
    media_type = request.header("content-type").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise OAuthRefusal("invalid_request", "Content-Type must be application/json.")
    try:
        claimed = json.loads(request.body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
        json.dumps(claimed, ensure_ascii=False).encode()  # half a character is none
    except (ValueError, RecursionError) as problem:
        raise _unreadable(type(problem).__name__) from problem
    if not isinstance(claimed, dict):
        raise _unreadable("no object")
    return claimed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _refuse(_number: str) -> None:
    raise ValueError("a number that is none")


def _unreadable(detail: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_client_metadata", "It must be a JSON object.", detail)


def _asked(
    provider: Provider, claimed: Mapping[str, Any], terms: Terms, client_id: str, held: str | None
) -> _Asked:
    """What is asked for, judged but for what the database knows. What a software statement says
    comes before what the client says (RFC 7591 section 3.1.1), and one that it is `held` to stands
    until it brings another. Raises MetadataRefusal, or the refusals of statements."""
    brought = claimed.get("software_statement")
    statement = held if brought is None else brought
    if statement is None:
        dynamic_clients.check_needs_no_statement(terms)
    else:
        issuer, now = provider.settings.issuer, provider.clock()
        claimed = {**claimed, **verify_statement(statement, provider.software_issuers, issuer, now)}
    form = dynamic_clients.asked_for(claimed, terms, client_id)
    if form.sector_identifier_uri:
        sector = _fetched(provider, sector_identifier.MEMBER, form.sector_identifier_uri)
        sector_identifier.check_sector(sector, form.redirect_uris)
    if form.jwks_uri and dynamic_clients.is_encrypted_to(form):
        dynamic_clients.check_published(form, _fetched(provider, "jwks_uri", form.jwks_uri))
    return _Asked(form, statement)


def _fetched(provider: Provider, member: str, uri: str) -> bytes:
    """Asked for anew each time, since it decides. Those who register are one of those whom we wait
    for: what they name are any addresses."""
    try:
        with provider.turns.wait_for(*REGISTRATIONS):
            return outgoing.fetched(uri, provider.settings.reachable_networks)
    except (NoTurn, Unreachable) as problem:
        raise MetadataRefusal(member, "It could not be fetched.") from problem


@contextmanager
def _all_or_nothing(provider: Provider) -> Iterator[tuple[Session, Connection]]:
    """A refusal takes everything back, unlike elsewhere: nothing is counted here."""
    with tenancy.every_tenant(provider.database) as rows, rows.begin_nested():
        yield rows, Connection.of(provider.database, rows)


def _record(db: Connection, request: Request, tag: str, registered: Registered, now: float) -> None:
    by, fields = registered.registration.initial_token, fields_of(registered.changes)
    client_id = registered.client.client_id
    audit.record(db, tag, now, request.origin, client=client_id, token=by, fields=fields)
    catalog_version.touch(db, [client_id])
