"""Another OpenID provider, as we reach it: its metadata, its keys, and the exchange of a code.

Whatever it does, a person waits four seconds at most, and nobody else waits for it: of the threads
that answer, a few at most are held, fewer for each of them, and who has just not answered is not
asked again at once (security.md R12).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import orjson

from idp import outgoing
from idp.directory.upstream_providers import UpstreamProvider
from idp.outgoing import NO_HEADERS, Unreachable
from idp.settings import Networks
from idp.tokens.others_keys import find_keys
from idp.turns import NoTurn, Turns

PATIENCE = 4.0
MOST_BYTES = 64 * 1024
MOST_ERROR = 64
FRESH_FOR = 3600.0
UNKNOWN_KEY_AFTER = 60.0
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
    value: Any
    at: float


class Patience:
    """What is left of the time that one step may take."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._until = monotonic() + seconds

    @property
    def left(self) -> float:
        return self._until - monotonic()


class Upstreams:
    """Of one process; what it knows of each is an hour old at most."""

    def __init__(self, allowed: Networks, turns: Turns) -> None:
        self._allowed = allowed
        self._turns = turns
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
            with self._turns.wait_for(upstream.tenant_id or upstream.issuer):  # of one company, all
                answer = outgoing.ask(
                    *(uri, self._allowed, fields),
                    headers=asked,
                    most=MOST_BYTES + 1,
                    deadline=patience.left,
                )
        except NoTurn as problem:
            raise Away(str(problem)) from problem
        except Unreachable as problem:
            self._trouble[upstream.issuer] = now
            raise Away(str(problem)) from problem
        if len(answer.body) > MOST_BYTES:
            raise Away(f"more than {MOST_BYTES} bytes")
        if answer.status != 200:
            raise Refused(answer.status, _error_of(answer.body))
        return _object(answer.body)


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
    return keys
