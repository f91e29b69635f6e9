"""Everything that a running provider holds, made once per process and handed down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from idp.credentials.hashing import PasswordHasher
from idp.database import Database
from idp.directory.catalog import EMPTY, Catalog, load_catalog
from idp.directory.catalog_version import Versioned
from idp.directory.clients import Client
from idp.directory.identity_providers import load_identity_providers
from idp.ephemeral import Ephemeral
from idp.ephemeral_stores import ephemeral
from idp.federation.upstream import Upstreams
from idp.oidc.jwks_uri import ClientKeys
from idp.oidc.software_statement import Issuers, read_issuers
from idp.sealed import Sealed
from idp.secret_values import SecretKeys, secret_keys
from idp.settings import Settings
from idp.tokens.signed_tokens import ID_TOKEN, BadToken, TokenReader
from idp.tokens.signing_keys import KeyRing, load_key_ring
from idp.tokens.subjects import person_of
from idp.traced_stores import TracedRedis, trace_statements
from idp.traces import TRACES
from idp.turns import Turns


@dataclass(frozen=True)
class Provider:
    """`clock` gives seconds since 1970 in UTC; tests hand in one that they can move."""

    settings: Settings
    database: Database
    ephemeral: Ephemeral
    secret_keys: SecretKeys
    hasher: PasswordHasher
    catalog: Versioned[Catalog]
    key_ring: Versioned[KeyRing]
    tokens: TokenReader
    upstreams: Upstreams
    turns: Turns
    client_keys: ClientKeys
    software_issuers: Issuers
    clock: Callable[[], float]


def provider(settings: Settings, clock: Callable[[], float] = time.time) -> Provider:
    keys, turns = secret_keys(settings.keys_dir, settings.sealing_key), Turns()
    database = Database(settings.database_url, settings.database_pool, keys.seal)
    kept = Sealed(_ephemeral(settings, database), keys)
    retention = float(max(settings.access_token_lifetime, settings.id_token_lifetime))
    return Provider(
        settings=settings,
        database=database,
        ephemeral=kept,
        secret_keys=keys,
        hasher=PasswordHasher(settings, keys.pepper),
        catalog=Versioned(database, lambda known: _catalog(database, known)),
        key_ring=Versioned(database, lambda _: load_key_ring(database, keys, retention)),
        tokens=TokenReader(),
        upstreams=Upstreams(kept, settings.reachable_networks, turns),
        turns=turns,
        client_keys=ClientKeys(kept, settings.reachable_networks, turns),
        software_issuers=read_issuers(settings.software_issuers),
        clock=clock,
    )


def _ephemeral(settings: Settings, database: Database) -> Ephemeral:
    if not TRACES.are_on:
        return ephemeral(settings.redis_url, database)
    trace_statements(database)
    return ephemeral(settings.redis_url, database, TracedRedis)


def _catalog(database: Database, known: Catalog | None) -> Catalog:
    return load_catalog(database, load_identity_providers(database), known or EMPTY)


def catalog_with(held: Provider, client_id: str, now: float) -> Catalog:
    """At most a second old, and of this moment where it does not have that client: it may have been
    registered just now, and by another process. Nobody who registers is told to wait."""
    known = held.catalog.current(now)
    return known if client_id in known.clients else held.catalog.newest(now)


def find_client(held: Provider, client_id: str, now: float) -> Client | None:
    return catalog_with(held, client_id, now).clients.get(client_id)


def read_id_token(held: Provider, token: str, now: float) -> dict[str, Any] | None:
    """The claims of an ID token of ours, used as a hint: an expired one will do. `sub` is the
    person's id, whatever they were called to its client."""
    try:
        claims = held.tokens.read(
            token,
            held.key_ring.current(now),
            now,
            expected_typ=ID_TOKEN,
            expected_issuer=held.settings.issuer,
            allow_expired=True,
        )
    except BadToken:
        return None
    client = find_client(held, claims["aud"], now)
    if client is None:
        return claims
    return {**claims, "sub": person_of(held.secret_keys, client, claims["sub"])}
