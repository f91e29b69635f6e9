"""Refresh tokens: a handle, a generation and a MAC, and nothing that we did not give."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.grants.refresh_token import ClaimedToken, encode_token, read_token
from idp.secret_values import SecretKeys, decode, encode

KEYS = SecretKeys(
    b"s" * 32, b"f" * 32, b"c" * 32, b"i" * 32, b"r" * 32, b"a" * 32, b"p" * 32, b"n" * 32
)
HANDLE = encode(bytes(range(100, 132)))
TOKEN = encode_token(KEYS, HANDLE, 7)


@pytest.mark.parametrize("generation", [0, 1, 7, 255, 256, 2**32 - 1])
def test_a_token_says_which_family_and_generation_it_is(generation: int) -> None:
    token = encode_token(KEYS, HANDLE, generation)
    assert read_token(KEYS, token) == ClaimedToken(HANDLE, generation)


def test_every_generation_looks_different_and_all_are_equally_long() -> None:
    tokens = [encode_token(KEYS, HANDLE, generation) for generation in range(50)]
    assert len(set(tokens)) == 50
    assert {len(token) for token in tokens} == {len(TOKEN)}


def test_every_flipped_bit_is_noticed() -> None:
    handle, rest = TOKEN[:43], decode(TOKEN[43:]) or b""
    for place in range(len(rest) * 8):
        flipped = bytearray(rest)
        flipped[place // 8] ^= 1 << place % 8
        assert read_token(KEYS, handle + encode(bytes(flipped))) is None
    for place in range(len(handle)):
        other = "A" if handle[place] != "A" else "B"
        assert read_token(KEYS, handle[:place] + other + handle[place + 1 :] + TOKEN[43:]) is None


def test_every_changed_character_is_noticed() -> None:
    for place in range(len(TOKEN)):
        for other in "Aa0-_":
            if TOKEN[place] != other:
                assert read_token(KEYS, TOKEN[:place] + other + TOKEN[place + 1 :]) is None


@pytest.mark.parametrize(
    "claimed",
    [
        "",
        HANDLE,
        TOKEN[:-1],
        TOKEN[1:],
        TOKEN + "A",
        TOKEN + "=",
        " " + TOKEN,
        TOKEN + "\n",
        TOKEN + TOKEN,
        TOKEN.lower(),
        TOKEN.replace("A", "\u0410"),
        "\u00e9" + TOKEN[1:],
        "\x00" * len(TOKEN),
        "x" * 5000,
    ],
    ids=itertools.count(),
)
def test_anything_else_is_none_of_ours(claimed: str) -> None:
    assert read_token(KEYS, claimed) is None


@settings(derandomize=True, deadline=None, database=None)
@given(st.text(max_size=120))
def test_any_text_can_be_read(claimed: str) -> None:
    assert read_token(KEYS, claimed) is None


def test_the_database_and_the_other_keys_make_no_token() -> None:
    for name in ("sealing", "first_sealing", "cookies", "identifiers", "audit"):
        forger = replace(KEYS, refresh_tokens=getattr(KEYS, name))
        assert read_token(KEYS, encode_token(forger, HANDLE, 7)) is None
