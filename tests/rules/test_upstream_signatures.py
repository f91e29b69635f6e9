"""By which key of another provider an ID token counts, and what is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.federation.identity import BadIdentity
from tests.machine.upstream.keys import (
    SigningKey,
    new_key,
    signed_by_secret,
    unpadded,
    unsigned,
)
from tests.rules.upstream_tokens import CLAIMS, KEYS, RSA, found, signed, signed_bytes

Key = dict[str, Any]

PUBLIC, EC, ED = (KEYS[alg].public for alg in ("RS256", "ES256", "Ed25519"))
ODD = (None, True, 5, -1.5, "", "A", "!!!", "\u00e9", "AQAB", "P-999", "secp256k1", "x" * 60_000)
ODDER: tuple[Any, ...] = ([], ["sign"], [[]], {}, {"a": 1})


def without(key: Key, *names: str) -> Key:
    return {name: value for name, value in key.items() if name not in names}


def test_of_several_keys_the_one_that_is_named_counts() -> None:
    other = new_key("RS256").public
    assert found(signed(), (other, PUBLIC))
    assert found(signed(), (other, without(PUBLIC, "use", "alg")))


@pytest.mark.parametrize(
    "other",
    [
        {**PUBLIC, "kty": "EC"},
        {**PUBLIC, "use": "enc"},
        {**PUBLIC, "use": ["sig"]},
        {**PUBLIC, "alg": "PS256"},
        {**PUBLIC, "alg": None},
    ],
)
def test_a_key_that_is_for_something_else_is_none_of_them(other: Key) -> None:
    """Also under the name of the right one."""
    assert found(signed(), (other, PUBLIC))
    with pytest.raises(BadIdentity, match=r"^0 keys"):
        found(signed(), (other,))


def test_without_a_name_there_is_one_key_that_it_can_be() -> None:
    token = RSA.sign(CLAIMS, kid=None)
    assert found(token, (PUBLIC, EC, ED))
    assert found(token, (without(PUBLIC, "kid"),))
    with pytest.raises(BadIdentity, match=r"^2 keys"):
        found(token, (PUBLIC, new_key("RS256").public))


@pytest.mark.parametrize(
    ("number", "published"),
    [
        (0, ()),
        (0, (without(PUBLIC, "kid"),)),
        (0, ({**PUBLIC, "kid": "x"},)),
        (2, (PUBLIC, PUBLIC)),
    ],
)
def test_of_no_key_or_of_two_by_one_name_none_counts(
    number: int, published: tuple[Key, ...]
) -> None:
    with pytest.raises(BadIdentity, match=rf"^{number} keys"):
        found(signed(), published)


@pytest.mark.parametrize("alg", KEYS)
def test_what_another_key_has_signed_counts_for_nothing(alg: str) -> None:
    other = new_key(alg)
    if other.key is KEYS[alg].key:  # a process makes eight, and lends them in turn
        other = new_key(alg)
    forged = SigningKey(alg, KEYS[alg].kid, other.key)
    with pytest.raises(BadIdentity, match="BadSignatureError"):
        found(signed(forged))


def test_an_rsa_key_of_fewer_than_2048_bits_counts_for_nothing() -> None:
    with pytest.warns(SecurityWarning):
        weak = SigningKey("RS256", "weak", RSAKey.generate_key(1024))
    with pytest.raises(BadIdentity, match="2048 bits"):
        found(signed(weak), (weak.public,))


def test_a_private_key_that_is_published_is_everybodys() -> None:
    with pytest.raises(BadIdentity, match="is private"):
        found(signed(), ({**PUBLIC, **RSA.key.as_dict(private=True)},))


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-384")),
        ("ES256", ECKey.generate_key("secp256k1")),
        ("Ed25519", OKPKey.generate_key("X25519")),
        ("Ed25519", OKPKey.generate_key("Ed448")),
    ],
)
def test_a_key_on_another_curve_counts_for_nothing(alg: str, key: ECKey | OKPKey) -> None:
    published = {**key.as_dict(private=False), "kid": KEYS[alg].kid}
    with pytest.raises(BadIdentity, match="curve"):
        found(signed(KEYS[alg]), (published,))


def spoiled() -> Iterator[tuple[SigningKey, Key]]:
    """Each key with each of its members missing, and as nobody would write it."""
    for key in KEYS.values():
        for name in (*key.public, "x5c", "x5t", "key_ops", "d"):
            yield key, without(key.public, name)
            for value in (*ODD, *ODDER):
                yield key, {**key.public, name: value}


def test_whatever_a_key_is_it_can_be_read_or_counts_for_nothing() -> None:
    read = 0
    for key, published in spoiled():
        with suppress(BadIdentity):
            read += bool(found(signed(key), (published,)))
    assert read


@pytest.mark.parametrize(
    "header",
    [
        *({"alg": each} for each in (None, "none", "HS256", "RS512", "rs256", ["RS256"], 5)),
        *({"kid": each} for each in (5, True, [RSA.kid], 0)),
        *({"alg": {}}, {"kid": {}}),
        *({"crit": crit} for crit in (["x"], ["b64"], "x", 5, [5])),
        *({"typ": 5}, {"jwk": 5}, {"cty": 5}, {"x5c": 5}, {"jku": {}}),
        {"padding": "x" * 600},
    ],
)
def test_a_header_that_is_none_of_ours_counts_for_nothing(header: dict[str, Any]) -> None:
    told = "a way that we do not take" if header.get("alg") or "kid" in header else "ID token"
    with pytest.raises(BadIdentity, match=told):
        found(RSA.sign(CLAIMS, **header))


def test_what_is_no_json_object_with_a_signature_counts_for_nothing() -> None:
    head, payload, signature = signed().split(".")
    bodies = [b"", b"[]", b'["alg"]', b'"alg"', b"7", b"null", b"\xff", b'{"exp": 1e400}']
    bodies += [b"[" * 5000, b'{"a":' * 2000]
    made = [f"{unpadded(body)}.{payload}.{signature}" for body in bodies]
    made += ["", ".", "..", "...", "a.b", "a.b.c.d.e", f"{head}.{payload}", f"{head}.{payload}."]
    made += ["\u00e9.\u00e9.\u00e9", "\ud800", f"{head}..{signature}", f"{head}.\u00e9.{signature}"]
    made += [unsigned(CLAIMS), signed_by_secret(CLAIMS, b"secret", RSA.kid), f" {signed()}"]
    for token in made:
        with pytest.raises(BadIdentity):
            found(token)


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"[]", b"7", b'"x"', b"null", b"\xff", b"{", b"[" * 5000, b'{"a":' * 2000),
        *(b'{"iat": 1e400}', b'{"sub": "\\ud800"}'),
    ],
)
def test_a_payload_that_is_no_object_says_nothing(payload: bytes) -> None:
    with pytest.raises(BadIdentity, match=r"signature: |no object"):
        found(signed_bytes(payload))


def test_a_token_of_more_than_16_kib_is_not_read() -> None:
    tokens = [signed(KEYS["ES256"], padding="x" * length) for length in range(11_700, 12_100)]
    short = [token for token in tokens if len(token) <= 16 * 1024]
    assert 0 < len(short) < len(tokens)
    assert found(short[-1])
    with pytest.raises(BadIdentity, match="too long"):
        found(tokens[len(short)])
