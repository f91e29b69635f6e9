"""The public keys of clients: as they were registered, or as a client has them at its `jwks_uri`.

What is there is fetched when it is needed and kept by all processes together: for five minutes as
it is, and up to an hour while nothing comes from there. Nobody makes us ask at one address more
than once in half a minute, whatever they send (security.md S71, R12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from time import monotonic, sleep
from typing import Any, NamedTuple, TypeVar

import orjson

from idp import outgoing
from idp.directory.clients import Client
from idp.ephemeral import Ephemeral
from idp.errors import Busy
from idp.outgoing import Unreachable
from idp.secret_values import fingerprint
from idp.settings import Networks
from idp.tokens.others_keys import MAX_KEYS, find_keys, flat, problem_of
from idp.turns import NoTurn, Turns, clients_of

FRESH_FOR = 300.0
KEPT_FOR = 3600.0  # where nothing newer can be had
AGAIN_AFTER = 30.0
MOST_KEPT = 1000
LOOK_AGAIN = 0.05
ACCEPTED = {"Accept": "application/jwk-set+json, application/json"}

Jwks = Mapping[str, Any]
Used = TypeVar("Used")


class NoKeys(Exception):
    """The client's keys can't be had; says why, for the log."""


class _Kept(NamedTuple):
    """What was found at `found_at`, where anything was, and what there was instead at `asked_at`,
    when it was asked for last."""

    jwks: Jwks | None = None
    found_at: float = 0.0
    asked_at: float = 0.0
    trouble: str = "nothing was fetched"

    def is_of(self, now: float, seconds: float) -> bool:
        """Whether it is no older, or can't be had newer yet."""
        return abs(now - self.found_at) < seconds or abs(now - self.asked_at) < AGAIN_AFTER

    def is_usable(self, now: float) -> bool:
        return self.jwks is not None and abs(now - self.found_at) < KEPT_FOR

    def with_heard(self, heard: _Kept) -> _Kept:
        """The newest keys of both, and what came of asking last."""
        found, asked = max(self, heard, key=_found_at), max(self, heard, key=_asked_at)
        return found._replace(asked_at=asked.asked_at, trouble=asked.trouble)


_found_at, _asked_at = attrgetter("found_at"), attrgetter("asked_at")


class ClientKeys:
    """Of one process, which asks the others by what they keep together."""

    def __init__(self, shared: Ephemeral, allowed: Networks, turns: Turns) -> None:
        self._shared = shared
        self._allowed = allowed
        self._turns = turns
        self._kept: dict[str, _Kept] = {}

    def used(
        self, client: Client, use: Callable[[Jwks], Used], unfit: type[Exception], now: float
    ) -> Used:
        """What `use` makes of the keys that we know; where it raises `unfit`, of those that the
        client has published since. Raises NoKeys, Busy, and what `use` does."""
        jwks = self._current(client, now)
        try:
            return use(jwks)
        except unfit:
            newer = self._newer(client, now)
            if newer is None:
                raise
            return use(newer)

    def _current(self, client: Client, now: float) -> Jwks:
        if client.jwks_uri is None:
            return client.jwks or {"keys": []}
        kept = self._kept.get(client.jwks_uri, _Kept())
        if not kept.is_of(now, FRESH_FOR):
            kept = self._renewed(client, client.jwks_uri, kept, FRESH_FOR, now)
        return _usable(kept, now)

    def _newer(self, client: Client, now: float) -> Jwks | None:
        """None where there are none, or not yet."""
        if client.jwks_uri is None:
            return None
        kept = self._kept.get(client.jwks_uri, _Kept())
        if kept.is_of(now, AGAIN_AFTER):
            return None
        renewed = self._renewed(client, client.jwks_uri, kept, AGAIN_AFTER, now)
        return renewed.jwks if renewed.found_at != kept.found_at else None

    def _renewed(self, client: Client, uri: str, kept: _Kept, seconds: float, now: float) -> _Kept:
        """As found within so many `seconds`, if it can be. Raises Busy."""
        key = f"client keys {fingerprint(uri)}"
        found = kept.with_heard(self._read(key, now))
        if not found.is_of(now, seconds):
            is_enough = seconds > AGAIN_AFTER and found.is_usable(now)
            try:
                with self._turns.wait_for(*clients_of(client.product_key)):
                    found = self._asked(uri, key, found, is_enough, now)
            except NoTurn as problem:
                if not is_enough:
                    raise Busy(f"keys of {client.client_id}: {problem}") from problem
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[uri] = found
        return found

    def _asked(self, uri: str, key: str, kept: _Kept, is_enough: bool, now: float) -> _Kept:
        """By one of all who ask at once; the others hear of it from what that one keeps, or go on
        by what they have where that is enough."""
        if self._shared.count(key, AGAIN_AFTER, now) > 1:
            return kept if is_enough else self._heard(key, kept, now)
        try:
            document = outgoing.fetched(uri, self._allowed, ACCEPTED)
            found = _Kept(sound_keys(document), now, now, "")
        except (Unreachable, NoKeys) as problem:
            found = kept._replace(asked_at=now, trouble=str(problem))
        self._shared.put(key, orjson.dumps([*found]).decode(), KEPT_FOR, now)
        return found

    def _heard(self, key: str, kept: _Kept, now: float) -> _Kept:
        until = monotonic() + outgoing.PATIENCE
        found = kept
        while not found.is_of(now, AGAIN_AFTER) and monotonic() < until:
            sleep(LOOK_AGAIN)
            found = kept.with_heard(self._read(key, now))
        return found

    def _read(self, key: str, now: float) -> _Kept:
        text = self._shared.read(key, now)
        return _Kept(*orjson.loads(text)) if text else _Kept()


def _usable(kept: _Kept, now: float) -> Jwks:
    if kept.jwks is None or not kept.is_usable(now):
        raise NoKeys(f"jwks_uri: {kept.trouble}")
    return kept.jwks


def sound_keys(document: bytes) -> Jwks:
    """Of a JWK Set those that we could use: what is of another kind, weak, or private and so known
    to everybody, is left out (RFC 7517 section 5). Raises NoKeys where none is left."""
    try:
        told = orjson.loads(document)
    except orjson.JSONDecodeError as problem:
        raise NoKeys("nothing that is JSON") from problem
    keys = find_keys(told)
    if keys is None:
        raise NoKeys(f"no JWK Set with keys, {MAX_KEYS} at most")
    problems = [problem_of(key) for key in keys]
    sound = [flat(key) for key, problem in zip(keys, problems, strict=True) if not problem]
    if not sound:
        raise NoKeys(f"no key that can be used: the first {problems[0]}")
    return {"keys": sound}
