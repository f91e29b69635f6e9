"""S36: a token that wants to be unpacked, derived or parsed for ever is refused for next to
nothing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.tokens.signed_tokens import BadToken
from tests.security.browsing import (
    claims_of,
    compact,
    decoded,
    encoded,
    header_of,
    shared_world,
    signer,
)
from tests.security.browsing_cost import cost_of, peak_of
from tests.security.browsing_tokens import Stage

STEPS = 200_000  # a refusal at an endpoint takes some 1,000, a page 15,000
MEMORY = 10 * 1024 * 1024

Bomb = Callable[[dict[str, Any], bytes, bytes], str]


def jwe(header: dict[str, Any], ciphertext: bytes) -> str:
    head = encoded(json.dumps(header).encode())
    return ".".join((head, encoded(b"k" * 40), encoded(b"i" * 12), encoded(ciphertext), "dGFn"))


def deflated_zeros() -> bytes:
    """A gigabyte, as far as the one who unpacks it is concerned."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = bytes(1024 * 1024)
    return b"".join(packer.compress(megabyte) for _ in range(4)) + packer.flush()


BOMBS: dict[str, Bomb] = {
    "a JWE to unpack": lambda header, payload, signature: jwe(
        {**header, "alg": "dir", "enc": "A256GCM", "zip": "DEF"}, deflated_zeros()
    ),
    "a key to derive": lambda header, payload, signature: jwe(
        {**header, "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "c2FsdA"},
        b"x",
    ),
    "a header of a megabyte": lambda header, payload, signature: compact(
        {**header, "x": "y" * 2**20}, payload, signature
    ),
    "ten thousand parts": lambda header, payload, signature: ".".join(["e30"] * 10_000),
    "dots": lambda header, payload, signature: "." * 4000,
    "an unknown crit": lambda header, payload, signature: compact(
        {**header, "crit": ["exp"], "exp": 1}, payload, signature
    ),
    "a crit that is not there": lambda header, payload, signature: compact(
        {**header, "crit": ["bomb"]}, payload, signature
    ),
    "a crit of numbers": lambda header, payload, signature: compact(
        {**header, "crit": [1]}, payload, signature
    ),
    "a crit that is a number": lambda header, payload, signature: compact(
        {**header, "crit": 5}, payload, signature
    ),
    "a payload that is not encoded": lambda header, payload, signature: compact(
        {**header, "b64": False, "crit": ["b64"]}, payload, signature
    ),
    "a zipped JWS": lambda header, payload, signature: compact(
        {**header, "zip": "DEF"}, deflated_zeros()[:1000], signature
    ),
    "a deep header": lambda header, payload, signature: compact(
        json.dumps(header)[:-1].encode() + b', "x": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        payload,
        signature,
    ),
    "a very deep payload": lambda header, payload, signature: compact(
        header, b"[" * 1500 + b"]" * 1500, signature
    ),
    "a long number": lambda header, payload, signature: compact(
        json.dumps(header)[:-1].encode() + b', "x": ' + b"9" * 2000 + b"}", payload, signature
    ),
    "bytes that are no text": lambda header, payload, signature: compact(
        b"\xff\xfe" + json.dumps(header).encode(), payload, signature
    ),
}


@pytest.fixture(scope="module")
def stage(furnished_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with shared_world(furnished_folder, tmp_path_factory) as world:
        yield Stage(world)


def armed(stage: Stage, consumer: str, name: str) -> str:
    genuine = stage.genuine(consumer)
    _, payload, signature = map(decoded, genuine.split("."))
    return BOMBS[name](header_of(genuine), payload, signature)


@pytest.mark.parametrize("name", list(BOMBS))
@pytest.mark.parametrize("consumer", Stage.EVERYBODY)
def test_sec_36_a_bomb_is_refused_before_it_costs_anything(
    stage: Stage, consumer: str, name: str
) -> None:
    bomb = armed(stage, consumer, name)
    is_taken, steps = cost_of(lambda: stage.takes(consumer, bomb), STEPS)
    assert not is_taken
    assert steps < STEPS
    assert peak_of(lambda: stage.takes(consumer, bomb)) < MEMORY


@pytest.mark.parametrize("name", list(BOMBS))
def test_sec_36_the_reader_alone_says_no_in_its_own_words(stage: Stage, name: str) -> None:
    """Without the limits of the HTTP layer in front of it."""
    bomb = armed(stage, "userinfo", name)
    now = stage.world.clock()
    ring = stage.world.held.key_ring.current(now)
    with pytest.raises(BadToken):
        stage.world.held.tokens.read(
            bomb,
            ring,
            now,
            expected_typ="at+jwt",
            expected_issuer=stage.world.settings.issuer,
        )


def test_sec_36_a_signed_bomb_of_our_own_key_is_refused_too(stage: Stage) -> None:
    """`crit` names something that must be understood, whoever signed it (RFC 7515 4.1.11)."""
    genuine = stage.genuine("userinfo")
    key = signer(stage.world)
    header = {**header_of(genuine), "crit": ["bomb"], "bomb": True}
    signed = compact(header, json.dumps(claims_of(genuine)).encode(), b"").rstrip(".")
    from idp.tokens.signed_tokens import _SIGN

    forged = f"{signed}.{encoded(_SIGN['ES256'](key.private, signed.encode()))}"
    assert not stage.takes("userinfo", forged)
