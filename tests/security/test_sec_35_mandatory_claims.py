"""S35: what a check rests on has to be there, and a clock may differ by ten seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.browsing import claims_of, header_of, minted, shared_world, without
from tests.security.browsing_tokens import Stage

OURS = (*Stage.BEARERS, *Stage.HINTS)
OF_ACCESS_TOKENS = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope")
OF_ID_TOKENS = ("iss", "sub", "aud", "exp", "iat")
OF_ASSERTIONS = ("iss", "sub", "aud", "exp", "jti")


@pytest.fixture(scope="module")
def stage(furnished_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with shared_world(furnished_folder, tmp_path_factory) as world:
        yield Stage(world)


def remade(stage: Stage, consumer: str, *dropped: str, **changed: object) -> str:
    """The genuine token with other claims, signed as the genuine one is."""
    genuine = stage.genuine(consumer)
    claims = without({**claims_of(genuine), **changed}, *dropped)
    header = header_of(genuine)
    if consumer in Stage.OF_CLIENTS:
        return stage.assertion(claims, **header)
    return minted(stage.world, header["typ"], claims, header["alg"])


@pytest.mark.parametrize("name", OF_ACCESS_TOKENS)
@pytest.mark.parametrize("consumer", Stage.BEARERS)
def test_sec_35_an_access_token_that_lacks_a_claim_is_refused(
    stage: Stage, consumer: str, name: str
) -> None:
    assert not stage.takes(consumer, remade(stage, consumer, name))


@pytest.mark.parametrize("name", OF_ID_TOKENS)
@pytest.mark.parametrize("consumer", Stage.HINTS)
def test_sec_35_a_hint_that_lacks_a_claim_is_no_hint(
    stage: Stage, consumer: str, name: str
) -> None:
    assert not stage.takes(consumer, remade(stage, consumer, name))


@pytest.mark.parametrize("name", OF_ASSERTIONS)
def test_sec_35_an_assertion_that_lacks_a_claim_is_refused(stage: Stage, name: str) -> None:
    assert not stage.takes(Stage.ASSERTION, remade(stage, Stage.ASSERTION, name))


@pytest.mark.parametrize("name", ["iss", "aud", "client_id"])
def test_sec_35_a_request_object_that_lacks_a_claim_is_refused(stage: Stage, name: str) -> None:
    assert not stage.takes(Stage.REQUEST, remade(stage, Stage.REQUEST, name))


def test_sec_35_an_assertion_needs_no_iat_since_its_exp_is_bounded(stage: Stage) -> None:
    """OpenID Connect Core section 9 leaves `iat` open; what it would bound, `exp` bounds."""
    now = int(stage.world.clock())
    assert stage.takes(Stage.ASSERTION, remade(stage, Stage.ASSERTION, "iat", exp=now + 300))
    for exp in (now + 301, now + 86400, now, now - 1):
        assert not stage.takes(Stage.ASSERTION, remade(stage, Stage.ASSERTION, "iat", exp=exp))


@pytest.mark.parametrize("value", ["1795000100", None, [], {}, 1e30, "", True])
@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("consumer", Stage.BEARERS)
def test_sec_35_a_time_is_a_whole_number(
    stage: Stage, consumer: str, name: str, value: object
) -> None:
    if name == "iat" and value is True:
        return  # Python reads it as one second after 1970, which is long past and harmless
    assert not stage.takes(consumer, remade(stage, consumer, **{name: value}))


@pytest.mark.parametrize("value", ["1795000100", [], {}, 1e30, ""])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("consumer", Stage.OF_CLIENTS)
def test_sec_35_a_time_in_what_a_client_signs_is_a_number(
    stage: Stage, consumer: str, name: str, value: object
) -> None:
    assert not stage.takes(consumer, remade(stage, consumer, **{name: value}))


AHEAD = {0: True, 10: True, 61: False, 3600: False}


@pytest.mark.parametrize(("seconds", "is_taken"), AHEAD.items())
@pytest.mark.parametrize("consumer", ["userinfo", "switcher", "introspect", "hint at authorize"])
def test_sec_35_a_token_may_be_ten_seconds_ahead_and_not_a_minute(
    stage: Stage, consumer: str, seconds: int, is_taken: bool
) -> None:
    issued = int(stage.world.clock()) + seconds
    token = remade(stage, consumer, iat=issued, exp=issued + 600)
    assert stage.takes(consumer, token) == is_taken


@pytest.mark.parametrize(("seconds", "is_taken"), AHEAD.items())
@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize("consumer", Stage.OF_CLIENTS)
def test_sec_35_what_a_client_signs_may_be_ten_seconds_ahead_and_not_a_minute(
    stage: Stage, consumer: str, name: str, seconds: int, is_taken: bool
) -> None:
    ahead = int(stage.world.clock()) + seconds
    signed = remade(stage, consumer, **{name: ahead, "exp": int(stage.world.clock()) + 90})
    assert stage.takes(consumer, signed) == is_taken


@pytest.mark.parametrize("consumer", Stage.BEARERS)
def test_sec_35_an_access_token_ends_with_its_last_second(stage: Stage, consumer: str) -> None:
    now = int(stage.world.clock())
    for exp in (now, now - 1, 0, -1):
        assert not stage.takes(consumer, remade(stage, consumer, exp=exp))


def test_sec_35_an_expired_hint_still_names_the_person(stage: Stage) -> None:
    """OpenID Connect Core section 3.1.2.1: a hint need not be in force."""
    expired = int(stage.world.clock()) - 3600
    hint = remade(stage, "hint at authorize", iat=expired - 600, exp=expired)
    assert stage.takes("hint at authorize", hint)


@pytest.mark.parametrize("seconds", [1, 599])
def test_sec_35_a_remembered_token_expires_like_any_other(stage: Stage, seconds: int) -> None:
    """Only signatures are remembered, never what is asked of the time."""
    token = remade(stage, "userinfo", exp=int(stage.world.clock()) + seconds)
    assert stage.takes("userinfo", token)
    stage.world.clock.move(seconds)
    try:
        assert not stage.takes("userinfo", token)
    finally:
        stage.world.clock.move(-seconds)
