"""A signature that was just seen to be good is not checked anew, and soon forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from idp.tokens import signed_tokens
from idp.tokens.signed_tokens import ACCESS_TOKEN, REMEMBERED_FOR, TokenReader, mint
from idp.tokens.signing_keys import KeyRing, load_key_ring
from tests.world import ISSUER, START, World

NOW = START + 1


class Reading:
    """`verified` counts the signatures that were checked."""

    def __init__(self, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reader, self.ring, self.verified = TokenReader(), ring, 0
        check = signed_tokens._VERIFY["RS256"]

        def counted(*given: Any) -> None:
            self.verified += 1
            check(*given)

        monkeypatch.setitem(signed_tokens._VERIFY, "RS256", counted)

    def token(self, number: int = 0) -> str:
        claims = {"iss": ISSUER, "sub": "u-1", "aud": "lms", "client_id": "lms", "scope": "openid"}
        times = {"iat": int(NOW), "exp": int(NOW) + 86400}
        key = self.ring.signer("RS256", NOW)
        return mint(key, ACCESS_TOKEN, {**claims, **times, "jti": f"j-{number}"})

    def read(self, token: str, now: float = NOW) -> None:
        self.reader.read(token, self.ring, now, expected_typ=ACCESS_TOKEN, expected_issuer=ISSUER)

    @property
    def remembered(self) -> int:
        return len({*self.reader._seen, *self.reader._seen_before})


@pytest.fixture
def reading(world: World, monkeypatch: pytest.MonkeyPatch) -> Reading:
    ring = load_key_ring(world.held.database, world.held.secret_keys, 86400.0)
    return Reading(ring, monkeypatch)


def test_a_token_that_is_shown_again_and_again_is_verified_once(reading: Reading) -> None:
    token = reading.token()
    for minute in range(60):
        reading.read(token, NOW + minute * REMEMBERED_FOR)
        reading.read(token, NOW + (minute + 0.5) * REMEMBERED_FOR)
    assert reading.verified == 1


def test_a_token_that_nobody_shows_any_more_is_forgotten(reading: Reading) -> None:
    """Though it is not over: what a process has read in hours would else stay with it."""
    shown, other = reading.token(), reading.token(1)
    reading.read(shown)
    for minute in range(3):
        reading.read(other, NOW + minute * REMEMBERED_FOR)
    assert reading.remembered == 1
    reading.read(shown, NOW + 3 * REMEMBERED_FOR)
    assert reading.verified == 3


def test_no_more_are_remembered_than_there_is_room_for(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_tokens, "REMEMBERED_TOKENS", 5)
    for number in range(40):
        reading.read(reading.token(number))
        assert reading.remembered <= 10
    assert reading.verified == 40
