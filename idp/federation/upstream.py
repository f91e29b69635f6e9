"""Another OpenID provider, as we reach it: its metadata, its keys, and the exchange of a code.

Whatever it does, a person waits four seconds at most, and nobody else waits for it: of the threads
that answer, a few at most are held, fewer for each of them, and who has just not answered is not
asked again at once (security.md R12).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from time import monotonic, sleep
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import orjson

from idp import outgoing
from idp.directory.upstream_providers import UpstreamProvider
from idp.ephemeral import Ephemeral
from idp.outgoing import NO_HEADERS, Unreachable
from idp.secret_values import fingerprint
from idp.settings import Networks
from idp.tokens.others_keys import find_keys, flat
from idp.turns import NoTurn, Turns

PATIENCE = 4.0
MOST_BYTES = 64 * 1024
MOST_ERROR = 64
FRESH_FOR = 3600.0
UNKNOWN_KEY_AFTER = 60.0
LOOK_AGAIN = 0.05
AFTER_TROUBLE = 10.0
ADDRESS = re.compile(r"[\w.~:/?\[\]@!$&'()*+,;=%-]{1,2048}", re.ASCII)  # RFC 3986, no fragment
WELL_KNOWN = "/.well-known/openid-configuration"


class Away(Exception):
    """It did not answer, or with nothing that could be an answer; says what, for the log."""


class Refused(Away):
    """It answered with a status that is no success, and `error` (RFC 6749 section 5.2) or none."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(f"status {status} {error!a}")
        self.error = error


class CodeRefused(Exception):
    """The code is none that it has given us for this sign-in, or was used, or is too old."""


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
    metadata: Metadata
    at: float


class _Keys(NamedTuple):
    found: list[dict[str, Any]]
    at: float

    def is_fresh(self, now: float) -> bool:
        return now - self.at < FRESH_FOR

    def is_enough(self, kid: str | None, now: float) -> bool:
        """Where it is unknown, too, for as long as nobody asks again."""
        is_known = kid in (None, *(key.get("kid") for key in self.found))
        return now - self.at < (FRESH_FOR if is_known else UNKNOWN_KEY_AFTER)


_NO_KEYS, _at = _Keys([], float("-inf")), attrgetter("at")


class Patience:
    """What is left of the time that one step may take."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._until = monotonic() + seconds

    @property
    def left(self) -> float:
        return self._until - monotonic()


class Upstreams:
    """Of one process; what it knows of each is an hour old at most. Keys it shares with the
    others."""

    def __init__(self, shared: Ephemeral, allowed: Networks, turns: Turns) -> None:
        self._shared = shared
        self._allowed = allowed
        self._turns = turns
        self._metadata: dict[str, _Kept] = {}
        self._keys: dict[str, _Keys] = {}
        self._trouble: dict[str, float] = {}

    def metadata(self, upstream: UpstreamProvider, patience: Patience, now: float) -> Metadata:
        """Raises Away."""
        kept = self._metadata.get(upstream.issuer)
        if kept is None or now - kept.at >= FRESH_FOR:
            uri = upstream.issuer.rstrip("/") + WELL_KNOWN
            kept = _Kept(_metadata(self._fetch(upstream, uri, patience, now), upstream.issuer), now)
            self._metadata[upstream.issuer] = kept
        return kept.metadata

    def keys(
        self, upstream: UpstreamProvider, kid: str | None, patience: Patience, now: float
    ) -> list[dict[str, Any]]:
        """Its public keys, fetched anew for one that is not among them, once a minute at most by
        all processes together. Raises Away."""
        kept = self._keys.get(upstream.issuer, _NO_KEYS)
        if not kept.is_enough(kid, now):
            kept = self._newer_keys(upstream, kept, kid, patience, now)
            self._keys[upstream.issuer] = kept
        return kept.found

    def _newer_keys(
        self,
        upstream: UpstreamProvider,
        kept: _Keys,
        kid: str | None,
        patience: Patience,
        now: float,
    ) -> _Keys:
        """As somebody has fetched them, or is about to, or we do. Raises Away."""
        name = f"keys of {fingerprint(upstream.issuer)}"
        kept = max(kept, self._shared_keys(name, now), key=_at)
        if kept.is_enough(kid, now):
            return kept
        if kept.is_fresh(now) and self._shared.count(name, UNKNOWN_KEY_AFTER, now) > 1:
            with self._turn(upstream):
                return self._heard(name, kept, patience, now)
        self._shared.put(f"{name} asked", "now", PATIENCE, now)
        try:
            uri = self.metadata(upstream, patience, now).jwks_uri
            kept = _Keys(_keys(self._fetch(upstream, uri, patience, now)), now)
            self._shared.put(name, orjson.dumps([*kept]).decode(), FRESH_FOR, now)
        finally:
            self._shared.drop([f"{name} asked"], now)
        return kept

    def _heard(self, name: str, kept: _Keys, patience: Patience, now: float) -> _Keys:
        """Once whoever asks for them just now has an answer."""
        while self._shared.read(f"{name} asked", now) and patience.left > LOOK_AGAIN:
            sleep(LOOK_AGAIN)
        return max(kept, self._shared_keys(name, now), key=_at)

    def _shared_keys(self, name: str, now: float) -> _Keys:
        text = self._shared.read(name, now)
        return _Keys(*orjson.loads(text)) if text else _NO_KEYS

    def exchange(
        self,
        upstream: UpstreamProvider,
        secret: str,
        fields: dict[str, str],
        patience: Patience,
        now: float,
    ) -> Tokens:
        """RFC 6749 section 4.1.3, by the secret in the way that it takes. Raises Away, and
        CodeRefused."""
        metadata = self.metadata(upstream, patience, now)
        form, headers = _with_secret(fields, metadata.takes_basic, upstream.client_id, secret)
        try:
            told = self._fetch(upstream, metadata.token_endpoint, patience, now, form, headers)
        except Refused as refusal:
            if refusal.error == "invalid_grant":
                raise CodeRefused(str(refusal)) from refusal
            raise
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
            with self._turn(upstream):
                answer = outgoing.ask(
                    *(uri, self._allowed, fields),
                    headers=asked,
                    most=MOST_BYTES + 1,
                    deadline=patience.left,
                )
        except Unreachable as problem:
            self._trouble[upstream.issuer] = now
            raise Away(str(problem)) from problem
        if len(answer.body) > MOST_BYTES:
            raise Away(f"more than {MOST_BYTES} bytes")
        if answer.status != 200:
            raise Refused(answer.status, _error_of(answer.body))
        return _object(answer.body)

    @contextmanager
    def _turn(self, upstream: UpstreamProvider) -> Iterator[None]:
        """Those of one company have it together. Raises Away."""
        try:
            with self._turns.wait_for(upstream.tenant_id or upstream.issuer):
                yield
        except NoTurn as problem:
            raise Away(str(problem)) from problem


def _with_secret(
    fields: dict[str, str], takes_basic: bool, client_id: str, secret: str
) -> tuple[dict[str, str], Mapping[str, str]]:
    """The form and the headers (RFC 6749 section 2.3.1)."""
    form = {"grant_type": "authorization_code", **fields}
    if not takes_basic:
        return form | {"client_id": client_id, "client_secret": secret}, NO_HEADERS
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return form, {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Away("it is not JSON") from None
    if not isinstance(told, dict):
        raise Away("it is no object")
    return told


def _error_of(body: bytes) -> str:
    try:
        return str(_object(body).get("error", ""))[:MOST_ERROR]
    except Away:
        return ""


def _metadata(told: dict[str, Any], issuer: str) -> Metadata:
    """That it is about this very issuer (section 4.3), and its addresses are as safe as it is."""
    if told.get("issuer") != issuer:
        raise Away("the metadata is another issuer's")
    return Metadata(
        _address(told, "authorization_endpoint", issuer),
        _address(told, "token_endpoint", issuer),
        _address(told, "jwks_uri", issuer),
        takes_basic=_takes_basic(told.get("token_endpoint_auth_methods_supported")),
        sends_iss=told.get("authorization_response_iss_parameter_supported") is True,
    )


def _takes_basic(methods: object) -> bool:
    """Also where it says nothing, or no list of them (section 3)."""
    return not isinstance(methods, list) or not methods or "client_secret_basic" in methods


def _address(told: dict[str, Any], name: str, issuer: str) -> str:
    """As safe as its issuer's."""
    address = told.get(name)
    if not isinstance(address, str) or not ADDRESS.fullmatch(address):
        raise Away(f"the {name} is no address")
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
    keys = find_keys(told)
    if keys is None:
        raise Away("the key set has no keys, or too many")
    if not all(isinstance(key, dict) for key in keys):
        raise Away("a key is no object")
    return [flat(key) for key in keys]
