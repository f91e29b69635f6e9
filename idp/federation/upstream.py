"""Another OpenID provider, as we reach it: its metadata, its keys, and the exchange of a code.

Whatever it does, a person waits four seconds at most, and nobody else waits for it: of the threads
that answer, a few at most are held, and who has just not answered is not asked again at once
(security.md R12).
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import orjson

from idp import outgoing
from idp.directory.identity_providers import UpstreamProvider
from idp.outgoing import NO_HEADERS, Unreachable
from idp.settings import Networks

PATIENCE = 4.0
MOST_BYTES = 64 * 1024
MOST_KEYS = 50
FRESH_FOR = 3600.0
UNKNOWN_KEY_AFTER = 60.0
AFTER_TROUBLE = 10.0
AT_ONCE, IN_LINE, LINE_WAIT = 2, 2, 0.5
WELL_KNOWN = "/.well-known/openid-configuration"


class Away(Exception):
    """It did not answer, or with nothing that could be an answer; says what, for the log."""


class Metadata(NamedTuple):
    """What we need of OpenID Connect Discovery 1.0 section 3; `sends_iss` as RFC 9207."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    sends_iss: bool


class Tokens(NamedTuple):
    id_token: str
    access_token: str


class _Kept(NamedTuple):
    value: Any
    at: float


class Patience:
    """What is left of the time that one step may take."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._until = monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.001, self._until - monotonic())


class Upstreams:
    """Of one process; what it knows of each is an hour old at most."""

    def __init__(self, allowed: Networks) -> None:
        self._allowed = allowed
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._line = threading.BoundedSemaphore(AT_ONCE + IN_LINE)
        self._metadata: dict[str, _Kept] = {}
        self._keys: dict[str, _Kept] = {}
        self._trouble: dict[str, float] = {}

    def metadata(self, upstream: UpstreamProvider, patience: Patience, now: float) -> Metadata:
        """Raises Away."""
        kept = self._metadata.get(upstream.issuer)
        if kept is None or now - kept.at >= FRESH_FOR:
            uri = upstream.issuer.rstrip("/") + WELL_KNOWN
            kept = _Kept(_metadata(self._fetch(upstream, uri, patience, now), upstream.issuer), now)
            self._metadata[upstream.issuer] = kept
        found: Metadata = kept.value
        return found

    def keys(
        self, upstream: UpstreamProvider, kid: str | None, patience: Patience, now: float
    ) -> list[dict[str, Any]]:
        """Its public keys, fetched anew for one that is not among them, once a minute at most.
        Raises Away."""
        kept = self._keys.get(upstream.issuer)
        age = now - kept.at if kept else FRESH_FOR
        is_unknown = kept is not None and kid not in [None, *(key.get("kid") for key in kept.value)]
        if kept is None or age >= FRESH_FOR or (is_unknown and age >= UNKNOWN_KEY_AFTER):
            uri = self.metadata(upstream, patience, now).jwks_uri
            kept = _Kept(_keys(self._fetch(upstream, uri, patience, now)), now)
            self._keys[upstream.issuer] = kept
        found: list[dict[str, Any]] = kept.value
        return found

    def exchange(
        self,
        upstream: UpstreamProvider,
        secret: str,
        fields: dict[str, str],
        patience: Patience,
        now: float,
    ) -> Tokens:
        """RFC 6749 section 4.1.3, by the secret in the way that it takes. Raises Away."""
        metadata, headers = self.metadata(upstream, patience, now), NO_HEADERS
        form = {"grant_type": "authorization_code", **fields}
        if metadata.takes_basic:
            pair = f"{quote_plus(upstream.client_id)}:{quote_plus(secret)}".encode()
            headers = {"Authorization": f"Basic {b64encode(pair).decode()}"}
        else:
            form |= {"client_id": upstream.client_id, "client_secret": secret}
        told = self._fetch(upstream, metadata.token_endpoint, patience, now, form, headers)
        id_token, access_token = told.get("id_token"), told.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise Away("no tokens")
        return Tokens(id_token, access_token)

    def _fetch(
        self,
        upstream: UpstreamProvider,
        uri: str,
        patience: Patience,
        now: float,
        fields: dict[str, str] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> dict[str, Any]:
        """A JSON object. Who answers, if not well, is asked again; who does not, not at once."""
        if abs(now - self._trouble.get(upstream.issuer, float("-inf"))) < AFTER_TROUBLE:
            raise Away("it did not answer just now")
        asked = {"Accept": "application/json", **headers}
        try:
            with self._turn():
                answer = outgoing.ask(
                    *(uri, self._allowed, fields),
                    headers=asked,
                    most=MOST_BYTES + 1,
                    deadline=patience.left,
                )
        except Unreachable as problem:
            self._trouble[upstream.issuer] = now
            raise Away(str(problem)) from problem
        if answer.status != 200 or len(answer.body) > MOST_BYTES:
            raise Away(f"status {answer.status}, {len(answer.body)} bytes")
        return _object(answer.body)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Raises Away where too many wait already."""
        if not self._line.acquire(blocking=False):
            raise Away("too many are waiting for others")
        try:
            if not self._room.acquire(timeout=LINE_WAIT):
                raise Away("too many are waiting for others")
            try:
                yield
            finally:
                self._room.release()
        finally:
            self._line.release()


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Away("it is not JSON") from None
    if not isinstance(told, dict):
        raise Away("it is no object")
    return told


def _metadata(told: dict[str, Any], issuer: str) -> Metadata:
    """That it is about this very issuer (section 4.3), and its addresses are as safe as it is."""
    if told.get("issuer") != issuer:
        raise Away("the metadata is another issuer's")
    methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Metadata(
        _address(told, "authorization_endpoint", issuer),
        _address(told, "token_endpoint", issuer),
        _address(told, "jwks_uri", issuer),
        takes_basic="client_secret_basic" in methods,
        sends_iss=told.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(told: dict[str, Any], name: str, issuer: str) -> str:
    """As safe as its issuer's."""
    address = told.get(name)
    if not isinstance(address, str):
        raise Away(f"the metadata has no {name}")
    if not _is_as_safe(address, issuer):
        raise Away(f"the {name} is less safe than its issuer")
    return address


def _is_as_safe(address: str, issuer: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in {"https", urlsplit(issuer).scheme}


def _keys(told: dict[str, Any]) -> list[dict[str, Any]]:
    keys = told.get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise Away("the key set has no keys, or too many")
    if not all(isinstance(key, dict) for key in keys):
        raise Away("a key is no object")
    return keys
