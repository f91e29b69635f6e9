"""Our tokens against another implementation: what we sign joserfc verifies, and the reverse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from idp.secret_values import SEALED_ALONE, SecretKeys, decode, encode
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.others_keys import SIGNATURES
from idp.tokens.signed_tokens import ACCESS_TOKEN, ID_TOKEN, BadToken, TokenReader, mint
from idp.tokens.signing_keys import KeyRing, KeyView, load_key_ring
from tests.world import ISSUER, START, World

NOW = START + 1
CLAIMS = {
    "iss": ISSUER,
    "sub": "u-1",
    "aud": ["urn:product:lms"],
    "client_id": "lms",
    "jti": "j-1",
    "scope": "openid",
    "iat": int(NOW),
    "exp": int(NOW) + 600,
    "name": "Ünïcode ✓",
}


@pytest.fixture
def ring(world: World) -> KeyRing:
    return load_key_ring(world.held.database, world.held.secret_keys, 600.0)


def read(ring: KeyRing, token: str, now: float = NOW, **expected: Any) -> dict[str, Any]:
    given = {"expected_typ": ACCESS_TOKEN, "expected_issuer": ISSUER, **expected}
    return TokenReader().read(token, ring, now, **given)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_joserfc_verifies_what_we_sign_by_the_published_keys_alone(ring: KeyRing, alg: str) -> None:
    published: Any = orjson.loads(ring.jwks(NOW)[0])
    token = mint(ring.signer(alg, NOW), ACCESS_TOKEN, CLAIMS)
    opened = jwt.decode(token, KeySet.import_key_set(published), registry=SIGNATURES)
    assert opened.claims == CLAIMS
    assert opened.header == {"alg": alg, "kid": ring.signer(alg, NOW).kid, "typ": ACCESS_TOKEN}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_we_verify_what_joserfc_signs_with_the_same_key(ring: KeyRing, alg: str) -> None:
    key = ring.signer(alg, NOW)
    header = {"alg": alg, "kid": key.kid, "typ": ACCESS_TOKEN}
    signed = jws.serialize_compact(header, orjson.dumps(CLAIMS), private(key), registry=SIGNATURES)
    assert read(ring, signed) == CLAIMS


def private(key: KeyView) -> Any:
    kinds: dict[str, Any] = {"RS256": RSAKey, "PS256": RSAKey, "ES256": ECKey}
    return kinds.get(key.alg, OKPKey)(key.private, key.private)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_token_of_ours_comes_back_as_it_was(ring: KeyRing, alg: str) -> None:
    for _ in range(20):  # an ECDSA number is shorter now and then
        assert read(ring, mint(ring.signer(alg, NOW), ACCESS_TOKEN, CLAIMS)) == CLAIMS


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_changed_byte_is_noticed(ring: KeyRing, alg: str) -> None:
    token = mint(ring.signer(alg, NOW), ACCESS_TOKEN, CLAIMS)
    for number, part in enumerate(token.split(".")):
        raw = decode(part) or b""
        for place in range(0, len(raw), 7):
            parts = token.split(".")
            parts[number] = encode(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
            with pytest.raises(BadToken):
                read(ring, ".".join(parts))


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("claimed_alg", [*ALGORITHMS, "none", "HS256", "ES384"])
def test_a_header_chooses_no_algorithm(ring: KeyRing, alg: str, claimed_alg: str) -> None:
    key = ring.signer(alg, NOW)
    token = mint(key, ACCESS_TOKEN, CLAIMS)
    header = encode(orjson.dumps({"alg": claimed_alg, "kid": key.kid, "typ": ACCESS_TOKEN}))
    forged = ".".join([header, *token.split(".")[1:]])
    if claimed_alg == alg:
        assert forged == token
        return
    with pytest.raises(BadToken):
        read(ring, forged)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"expected_typ": ID_TOKEN}),
        ({}, {"expected_issuer": "https://other.example"}),
        ({"exp": int(NOW)}, {}),
        ({"exp": None}, {}),
        ({"exp": str(int(NOW) + 600)}, {}),
        ({"iat": None}, {}),
        ({"iat": int(NOW) + 12}, {}),
        ({"iss": None}, {}),
        ({"iss": [ISSUER]}, {}),
    ],
)
def test_a_sound_signature_is_not_enough(
    ring: KeyRing, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    token = mint(ring.signer("ES256", NOW), ACCESS_TOKEN, claims)
    with pytest.raises(BadToken):
        read(ring, token, **expected)


def test_a_remembered_token_still_expires_and_dies_with_its_key(ring: KeyRing) -> None:
    key = ring.signer("ES256", NOW)
    token, reader = mint(key, ACCESS_TOKEN, CLAIMS), TokenReader()
    expected: Any = {"expected_typ": ACCESS_TOKEN, "expected_issuer": ISSUER}
    assert reader.read(token, ring, NOW, **expected) == CLAIMS
    without = KeyRing(tuple(each for each in ring.keys if each is not key), ring.retention)
    with pytest.raises(BadToken, match="key"):
        reader.read(token, without, NOW, **expected)
    with pytest.raises(BadToken, match="expired"):
        reader.read(token, ring, NOW + 600, **expected)
    with pytest.raises(BadToken, match="type"):
        reader.read(token, ring, NOW, expected_typ=ID_TOKEN, expected_issuer=ISSUER)
    assert reader.read(token, ring, NOW + 600, **expected, allow_expired=True) == CLAIMS


def test_private_keys_lie_encrypted_and_are_published_by_nobody(
    world: World, ring: KeyRing, tmp_path: Path
) -> None:
    secret = {"d", "p", "q", "dp", "dq", "qi", "k"}
    for jwk in orjson.loads(ring.jwks(NOW)[0])["keys"]:
        assert not secret & set(jwk)
    stored = [row[0] for row in world.run("SELECT private_key FROM signing_keys")]
    opened = [decode(each.removeprefix(SEALED_ALONE)) or b"PRIVATE" for each in stored]
    assert not any(b"PRIVATE" in each for each in opened)
    strangers = SecretKeys(
        b"s" * 32, b"f" * 32, b"c" * 32, b"i" * 32, b"r" * 32, b"a" * 32, b"p" * 32, b"n" * 32
    )
    with pytest.raises(Exception, match="not the one this database was made with"):
        load_key_ring(world.held.database, strangers, 600.0)
