"""S25, S34: an access token that only we can read is good for what a signed one is, and no more."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from idp.secret_values import encode
from idp.tokens import opaque_tokens
from idp.tokens.opaque_tokens import PREFIX, PURPOSE
from tests.security.browsing import claims_of, reopened
from tests.security.protocol import (
    KEEPING,
    MACHINE,
    is_active,
    is_refused,
    post_as,
    refreshed,
    register,
    revoke,
    tokens_for,
)
from tests.world import AMARA, BEN, ISSUER, World


@pytest.fixture
def opaque(world: World) -> World:
    register(world, KEEPING, MACHINE)
    take(world, "opaque")
    return world


def take(world: World, wanted: str) -> None:
    """From now on the product's API takes these."""
    product = {"key": "lms", "name": "LMS", "access_token_format": wanted}
    world.apply(products=[product])
    world.clock.move(2)


def machine_token(world: World) -> str:
    answer = post_as(world, MACHINE, "/token", grant_type="client_credentials")
    return str((answer.json or {})["access_token"])


def seen(world: World, token: str) -> dict[str, Any]:
    return dict(post_as(world, KEEPING, "/introspect", token=token).json or {})


def claims_in(world: World, token: str) -> dict[str, Any]:
    keys = world.held.secret_keys
    return dict(orjson.loads(keys.decrypt(token.removeprefix(PREFIX), PURPOSE)))


def test_sec_25_an_opaque_token_says_nothing_and_is_no_longer_than_a_signed_one(
    opaque: World,
) -> None:
    given = tokens_for(opaque, KEEPING)
    token = given["access_token"]
    assert token.startswith("lkat_")
    assert token.count(".") == 1
    assert claims_of(given["id_token"])["at_hash"]
    take(opaque, "jwt")
    signed = refreshed(opaque, KEEPING, given["refresh_token"])["access_token"]
    assert signed.count(".") == 2
    assert len(token) < len(signed) + 32
    assert is_active(opaque, token)
    assert is_active(opaque, signed)


def test_sec_25_introspection_tells_the_same_of_either_form(opaque: World) -> None:
    given = tokens_for(opaque, KEEPING)
    hidden = seen(opaque, given["access_token"])
    of_machine = seen(opaque, machine_token(opaque))
    take(opaque, "jwt")
    shown = seen(opaque, refreshed(opaque, KEEPING, given["refresh_token"])["access_token"])
    machine_shown = seen(opaque, machine_token(opaque))
    changing = {"jti", "iat", "exp"}
    for one, other in ((hidden, shown), (of_machine, machine_shown)):
        assert one["active"] is True
        assert set(one) == set(other)
        assert {n: v for n, v in one.items() if n not in changing} == {
            n: v for n, v in other.items() if n not in changing
        }


def test_sec_25_an_opaque_token_is_for_its_own_product_alone(opaque: World) -> None:
    for token in (tokens_for(opaque, KEEPING)["access_token"], machine_token(opaque)):
        assert opaque.introspect(token)["active"]
        assert opaque.introspect(token, "payments") == {"active": False}


def test_sec_25_what_ends_a_signed_token_ends_an_opaque_one(opaque: World) -> None:
    """Its own revocation, its grant's, its person's and its time."""
    alone = tokens_for(opaque, KEEPING)
    assert revoke(opaque, KEEPING, alone["access_token"]).status_code == 200
    assert not is_active(opaque, alone["access_token"])
    renewed = refreshed(opaque, KEEPING, alone["refresh_token"])
    assert is_active(opaque, renewed["access_token"])
    revoke(opaque, KEEPING, renewed["refresh_token"])
    assert not is_active(opaque, renewed["access_token"])
    of_ben = tokens_for(opaque, KEEPING, BEN)["access_token"]
    assert is_active(opaque, of_ben)
    opaque.run("UPDATE users SET status = 'disabled' WHERE email = :email", email=BEN)
    assert not is_active(opaque, of_ben)
    old, machine = tokens_for(opaque, KEEPING, AMARA)["access_token"], machine_token(opaque)
    opaque.clock.move(opaque.settings.access_token_lifetime)
    assert not is_active(opaque, old)
    assert seen(opaque, machine) == {"active": False}


def test_sec_25_another_client_revokes_no_opaque_token(opaque: World) -> None:
    token = tokens_for(opaque, KEEPING)["access_token"]
    revoke(opaque, MACHINE, token)
    assert is_active(opaque, token)


def test_sec_34_what_was_changed_or_sealed_for_something_else_is_no_access_token(
    opaque: World,
) -> None:
    token = tokens_for(opaque, KEEPING)["access_token"]
    claims, keys = claims_in(opaque, token), opaque.held.secret_keys
    assert is_active(opaque, opaque_tokens.seal(keys, claims))
    middle = len(token) // 2
    spoiled = {
        "cut off": token[:-1],
        "made longer": f"{token}A",
        "one letter changed": token[:middle] + "AB"[token[middle] == "A"] + token[middle + 1 :],
        "without its beginning": token.removeprefix(PREFIX),
        "its beginning alone": PREFIX,
        "its beginning twice": PREFIX + token,
        "no seal": PREFIX + encode(orjson.dumps(claims)),
        "no base64": f"{PREFIX}2.é~",
        "long": PREFIX + "2." + "A" * 4000,
        "sealed for something else": PREFIX + keys.encrypt(orjson.dumps(claims), "letter"),
        "of another issuer": opaque_tokens.seal(keys, {**claims, "iss": "https://evil.example"}),
        "from the future": opaque_tokens.seal(keys, {**claims, "iat": claims["iat"] + 11}),
    }
    for name in ("iss", "sub", "aud", "client_id", "jti", "scope", "exp", "iat"):
        less = {claim: value for claim, value in claims.items() if claim != name}
        spoiled[f"without {name}"] = opaque_tokens.seal(keys, less)
    for how, bad in spoiled.items():
        assert seen(opaque, bad) == {"active": False}, how
        sent = bad if bad.isascii() else bad.encode().decode("latin-1")
        assert is_refused(opaque.userinfo(sent), "invalid_token", 401), how


def test_sec_34_an_opaque_token_is_taken_for_nothing_else(opaque: World) -> None:
    token = tokens_for(opaque, KEEPING)["access_token"]
    answer = post_as(opaque, KEEPING, "/token", grant_type="refresh_token", refresh_token=token)
    assert is_refused(answer, "invalid_grant")
    hinted = opaque.browser().authorize(prompt="none", id_token_hint=token)
    assert "error=invalid_request" in hinted.headers["Location"]


def test_sec_25_no_row_is_written_for_an_opaque_token_and_any_process_knows_it(
    opaque: World,
) -> None:
    token = machine_token(opaque)
    other = reopened(opaque, opaque.settings)
    assert other.introspect(token)["iss"] == ISSUER
    assert opaque.run("SELECT count(*) FROM grants") == [(0,)]
    other.held.database.close()
