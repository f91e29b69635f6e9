"""Our own verifier beside joserfc: it takes all that we mint, and nothing that joserfc refuses."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.secret_values import decode, encode
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.others_keys import SIGNATURES
from idp.tokens.signed_tokens import (
    _SIGN,
    ACCESS_TOKEN,
    ID_TOKEN,
    BadToken,
    TokenReader,
    mint,
)
from idp.tokens.signing_keys import KeyRing, load_key_ring
from tests.fuzz.wire import examples
from tests.world import ISSUER, START, World

NOW = START + 1
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "u-1",
    "aud": "urn:product:lms",
    "client_id": "lms",
    "jti": "j-1",
    "scope": "openid",
    "iat": int(NOW),
    "exp": int(NOW) + 600,
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ODD = [*ALPHABET, "=", ".", "+", "/", " ", "\n", "\x00", "é", "\ud800"]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('aé✓\x00"\\', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@pytest.fixture
def ring(world: World) -> KeyRing:
    return load_key_ring(world.held.database, world.held.secret_keys, 600.0)


def ours(token: str, ring: KeyRing) -> object:
    """The claims, or None."""
    reader = TokenReader()
    try:
        return reader.read(token, ring, NOW, expected_typ=ACCESS_TOKEN, expected_issuer=ISSUER)
    except BadToken:
        return None


def theirs(token: str, ring: KeyRing) -> object:
    """The claims by signature alone, or None."""
    published: Any = KeySet.import_key_set(orjson.loads(ring.jwks(NOW)[0]))
    try:
        opened = jws.deserialize_compact(token, published, registry=SIGNATURES)
        return orjson.loads(opened.payload or b"")
    except (JoseError, ValueError, TypeError):
        return None


@examples(60)
@given(more=st.dictionaries(st.text("xyz", min_size=1), values), alg=st.sampled_from(ALGORITHMS))
def test_what_we_mint_both_take(ring: KeyRing, more: dict[str, Any], alg: str) -> None:
    token = mint(ring.signer(alg, NOW), ACCESS_TOKEN, {**CLAIMS, **more})
    assert ours(token, ring) == theirs(token, ring) == {**CLAIMS, **more}


@examples(300)
@given(data=st.data())
def test_what_was_changed_we_do_not_take(ring: KeyRing, data: st.DataObject) -> None:
    alg = data.draw(st.sampled_from(ALGORITHMS))
    genuine = mint(ring.signer(alg, NOW), ACCESS_TOKEN, CLAIMS)
    change = data.draw(st.sampled_from([edited, resized, recombined, reheaded]))
    changed = change(data, genuine, ring)
    assert ours(changed, ring) == (CLAIMS if changed == genuine else None)


def edited(data: st.DataObject, token: str, ring: KeyRing) -> str:
    """One character of it is another."""
    place = data.draw(st.integers(0, len(token) - 1))
    other: str = data.draw(st.sampled_from(ODD))
    return token[:place] + other + token[place + 1 :]


def resized(data: st.DataObject, token: str, ring: KeyRing) -> str:
    """Something is put in, or left out."""
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(token))] * 2)))
    other: str = data.draw(st.sampled_from(["", *ODD]))
    return token[:start] + other + token[end:]


def recombined(data: st.DataObject, token: str, ring: KeyRing) -> str:
    """Its parts, and those of another type, key or person."""
    key = ring.signer(data.draw(st.sampled_from(ALGORITHMS)), NOW)
    typ = data.draw(st.sampled_from([ACCESS_TOKEN, ID_TOKEN]))
    other = mint(key, typ, {**CLAIMS, "sub": "u-2"})
    choices = [*token.split("."), *other.split("."), ""]
    parts = data.draw(st.lists(st.sampled_from(choices), min_size=2, max_size=4))
    foreign = ".".join(parts)
    return token if foreign == other else foreign


def reheaded(data: st.DataObject, token: str, ring: KeyRing) -> str:
    """The same key's header in other words, truly signed."""
    minted = decode(token.partition(".")[0]) or b""
    header = orjson.loads(minted)
    header.update(data.draw(st.dictionaries(st.sampled_from(["x5t", "cty", "typ"]), values)))
    written = data.draw(st.sampled_from([orjson.dumps(header), json.dumps(header).encode()]))
    if written == minted:
        return token
    signed = f"{encode(written)}.{token.split('.')[1]}"
    key = ring.by_kid[header["kid"]]
    return f"{signed}.{encode(_SIGN[key.alg](key.private, signed.encode()))}"


def test_a_header_in_other_words_is_not_ours_though_joserfc_would_take_it(ring: KeyRing) -> None:
    key = ring.signer("ES256", NOW)
    header = json.dumps({"typ": ACCESS_TOKEN, "alg": key.alg, "kid": key.kid}).encode()
    signed = f"{encode(header)}.{encode(orjson.dumps(CLAIMS))}"
    token = f"{signed}.{encode(_SIGN[key.alg](key.private, signed.encode()))}"
    assert theirs(token, ring) == CLAIMS
    assert ours(token, ring) is None
